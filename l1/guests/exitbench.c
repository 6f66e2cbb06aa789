/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What single operations cost on the machine below, whatever that is: one line per operation,
 *
 *   item=NAME insns=MIN,MEAN cycles=MIN,MEAN iters=N mark=M ops=K
 *
 * net of the measuring itself. insns=na: no fixed counter 0. item=NAME absent: this machine lacks
 * it. item=vmcall as=ud: no hypervisor answers, so what is measured is the #UD and its handler.
 * mark: of the trap log's interval that holds the K operations (warm-up included). Port 0x80 is
 * passed through by every hypervisor here, port 0xed is intercepted by each. Options: iters=N,
 * item=I (only that one, counted from 0), items=BITS (only these), awake (none that halts),
 * uncounted (fixed counter 0 is left alone: a hypervisor that emulates counters has nothing to do
 * for it).
 */
#include "l1/guests/exitbench/exitbench.h"

#include <stddef.h>

#include "l1/lib/console.h"
#include "l1/lib/counter.h"
#include "l1/lib/mark.h"
#include "l1/lib/multiboot.h"
#include "l1/lib/runtime.h"

#define DEFAULT_ITERATIONS 200
#define WARM_UP 8
#define ALL_ITEMS UINT64_MAX

struct cost {
	struct counter min, sum;
};

static void keep_min(uint64_t *min, uint64_t value)
{
	if (value < *min)
		*min = value;
}

static struct cost measure(void (*operation)(void), uint64_t iterations)
{
	struct cost cost = {.min = {UINT64_MAX, UINT64_MAX}};
	bool has_insns = counter_has_insns();

	for (uint64_t i = 0; i < WARM_UP + iterations; i++) {
		struct counter before = counter_read(has_insns), after;

		operation();
		after = counter_read(has_insns);
		if (i < WARM_UP)
			continue;
		keep_min(&cost.min.insns, after.insns - before.insns);
		keep_min(&cost.min.cycles, after.cycles - before.cycles);
		cost.sum.insns += after.insns - before.insns;
		cost.sum.cycles += after.cycles - before.cycles;
	}
	return cost;
}

/* May go below zero where the empty measurement was the slower one. */
static int64_t net(uint64_t value, uint64_t empty)
{
	return (int64_t)(value - empty);
}

static void print_item(const char *name, const struct cost *cost, const struct cost *empty,
		       uint64_t n, unsigned mark)
{
	printf("item=%s ", name);
	if (counter_has_insns())
		printf("insns=%ld,%ld ", net(cost->min.insns, empty->min.insns),
		       net(cost->sum.insns / n, empty->sum.insns / n));
	else
		printf("insns=na ");
	printf("cycles=%ld,%ld iters=%lu mark=%u ops=%lu\n",
	       net(cost->min.cycles, empty->min.cycles),
	       net(cost->sum.cycles / n, empty->sum.cycles / n), n, mark, n + WARM_UP);
}

static void run_item(const struct exitbench_item *item, const struct cost *empty,
		     uint64_t iterations)
{
	unsigned mark = 2 * (unsigned)(item - exitbench_items);
	struct cost cost;

	if (item->limit && iterations > item->limit)
		iterations = item->limit;
	if (item->start && !item->start(iterations + WARM_UP)) {
		printf("item=%s absent\n", item->name);
		return;
	}
	mark_set(mark);
	cost = measure(item->operation, iterations);
	mark_set(mark + 1);
	if (item->stop)
		item->stop();
	print_item(item->name, &cost, empty, iterations, mark);
}

static bool halts(const struct exitbench_item *item)
{
	return item->operation == exitbench_deadline_and_halt ||
	       item->operation == exitbench_pit_and_halt;
}

int main(void)
{
	uint64_t iterations = multiboot_option("iters", DEFAULT_ITERATIONS);
	uint64_t only = multiboot_option("item", ALL_ITEMS);
	uint64_t items = multiboot_option("items", UINT64_MAX);
	bool awake = multiboot_has_word("awake");
	struct cost empty;

	if (!iterations)
		runtime_panic(1, "exitbench: iters=0 measures nothing");
	if (!multiboot_has_word("uncounted"))
		counter_start();
	empty = measure(exitbench_nothing, iterations);
	for (unsigned i = 0; i < exitbench_item_count; i++) {
		const struct exitbench_item *item = &exitbench_items[i];

		if ((only == ALL_ITEMS || only == i) && (items >> i & 1) && !(awake && halts(item)))
			run_item(item, &empty, iterations);
	}
	return STATUS_OK;
}
