/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The headline benchmark: what one exit of L2 costs, from L2 through a bare L1 handler and back.
 * The image is its own L1 and L2. One line each:
 *
 *   l2_ITEM insns=I own=O cycles=C    a round trip; I is what all levels below L1 executed, O
 *                                     what L1 and L2 executed, C the cycles of the whole
 *   l1_ITEM insns=I cycles=C          an operation executed by L1 itself
 *
 * On a bare machine I is 0 for l2_ lines and 1 for l1_ lines. insns=na: no fixed counter 0.
 * Options: iters=N, item=N (only the N-th l2_ line).
 */
#include "l1/guests/roundtrip/roundtrip.h"

#include <stddef.h>

#include "l1/lib/console.h"
#include "l1/lib/counter.h"
#include "l1/lib/layout.h"
#include "l1/lib/multiboot.h"
#include "l1/lib/paging.h"
#include "l1/lib/runtime.h"
#include "l1/lib/trap.h"
#include "l1/lib/vmx.h"

#define READ_WRITE_ACCESSED (AR_TYPE_WRITABLE | AR_TYPE_ACCESSED)
#define DEFAULT_ITERATIONS 1000
#define WARM_UP 16
#define TOUCHED UINT64_C(0x40000000) /* mapped by L1's paging, absent from its EPT */
#define WALKED UINT64_C(0x80000000)  /* the same, until L1 maps it page by page */
#define WALKED_PAGES 4096

enum roundtrip_status { ROUNDTRIP_NO_VMX = 1, ROUNDTRIP_ENTRY_FAILED };

extern uint64_t boot_gdt[];
static uint8_t l2_stack[4096] __attribute__((aligned(4096)));
static uint64_t walked_tables[WALKED_PAGES] __attribute__((aligned(4096)));
static unsigned walked; /* pages that are mapped */

/* Identity, 2 MiB pages, without [TOUCHED, TOUCHED + 1 GiB); the first WALKED_PAGES from WALKED on
 * have empty tables. */
static uint64_t build_ept(void)
{
	uint64_t *root = page_alloc(), *pointers = page_alloc();

	for (unsigned i = 0; i < 4; i++) {
		uint64_t *directory = page_alloc();

		for (uint64_t j = 0; j < 512; j++)
			directory[j] = (uint64_t)i << 30 | j << 21 | EPT_RWX | EPT_PS | EPT_MT_WB;
		for (uint64_t j = 0; i == WALKED >> 30 && j < WALKED_PAGES / 512; j++)
			directory[j] = (uint64_t)&walked_tables[512 * j] | EPT_RWX;
		if (i != TOUCHED >> 30)
			pointers[i] = (uint64_t)directory | EPT_RWX;
	}
	root[0] = (uint64_t)pointers | EPT_RWX;
	return (uint64_t)root | EPTP_WALK_4 | EPTP_MT_WB;
}

/* True: with EPT. */
static bool set_up_vmcs(void)
{
	uint32_t primary = vmx_controls(MSR_IA32_VMX_PROCBASED_CTLS,
					PRIMARY_UNCONDITIONAL_IO_EXITING |
						(uint32_t)PRIMARY_ACTIVATE_SECONDARY);
	uint32_t secondary = 0;
	const struct vmx_row rows[] = {
#define VMCS(name, value) {VMCS_##name, value},
#include "l1/guests/roundtrip/vmcs.def"
#undef VMCS
	};

	vmx_write_rows(rows, sizeof(rows) / sizeof(rows[0]));
	vmx_write_host_state();
	if (!(primary & (uint32_t)PRIMARY_ACTIVATE_SECONDARY))
		return false;
	secondary = vmx_controls(MSR_IA32_VMX_PROCBASED_CTLS2, SECONDARY_ENABLE_EPT);
	if (!vmx_vmwrite(VMCS_SECONDARY_CONTROLS, secondary))
		return false;
	if (secondary & SECONDARY_ENABLE_EPT)
		return vmx_vmwrite(VMCS_EPT_POINTER, build_ept());
	return false;
}

static const struct l2_item {
	const char *name;
	const char *code;
	bool (*run)(struct trip *trip);
	unsigned own;
	bool needs_ept;
	uint64_t limit; /* most iterations; 0: no limit */
} l2_items[] = {
	{"l2_cpuid", l2_cpuid, trip_bare, OWN_BARE, false, 0},
	{"l2_cpuid_usual", l2_again, trip_usual, OWN_USUAL, false, 0},
	{"l2_vmcall", l2_vmcall, trip_bare, OWN_BARE, false, 0},
	{"l2_out", l2_out, trip_bare, OWN_BARE, false, 0},
	{"l2_rdmsr", l2_rdmsr, trip_bare, OWN_BARE, false, 0},
	{"l2_ept_touch", l2_touch, trip_bare, OWN_BARE, true, 0},
	{"l2_ept_map", l2_walk, trip_map, OWN_MAP, true, WALKED_PAGES - 3 * WARM_UP},
};

static struct counter run_trips(const struct l2_item *item, uint64_t count)
{
	static bool launched;
	bool insns = counter_has_insns();
	bool maps = item->run == trip_map;
	struct trip trip = {
		.count = count,
		.l2_rip = (uint64_t)item->code,
		.l2_rsi = maps ? WALKED + walked * PAGE_SIZE : TOUCHED,
		.launched = launched,
		.slot = &walked_tables[walked],
		.entry = (uint64_t)l2_stack | EPT_RWX | EPT_MT_WB,
	};
	struct counter before = counter_read(insns), after;

	if (!item->run(&trip))
		runtime_panic(ROUNDTRIP_ENTRY_FAILED, "%s: VM entry failed with error %lu",
			      item->name, vmx_vmread(VMCS_INSTRUCTION_ERROR));
	after = counter_read(insns);
	launched = true;
	walked += maps ? count - 1 : 0; /* the last one is only counted */
	return (struct counter){after.insns - before.insns, after.cycles - before.cycles};
}

/* Two lengths of run, so that what is not per trip cancels out. */
static void measure_l2(const struct l2_item *item, uint64_t iterations)
{
	struct counter few, many;
	uint64_t insns, cycles;

	if (item->limit && iterations > item->limit)
		iterations = item->limit;
	run_trips(item, WARM_UP);
	few = run_trips(item, WARM_UP);
	many = run_trips(item, WARM_UP + iterations);
	insns = (many.insns - few.insns) / iterations - item->own;
	cycles = (many.cycles - few.cycles) / iterations;
	printf("%s ", item->name);
	if (counter_has_insns())
		printf("insns=%lu own=%u cycles=%lu\n", insns, item->own, cycles);
	else
		printf("insns=na own=%u cycles=%lu\n", item->own, cycles);
}

static const struct l1_item {
	const char *name;
	void (*code)(void);
	unsigned own;
} l1_items[] = {
	{"l1_cpuid", l1_cpuid, OWN_L1_CPUID},
	{"l1_vmread", l1_vmread, OWN_L1_VMREAD},
	{"l1_vmwrite", l1_vmwrite, OWN_L1_VMWRITE},
};

static struct counter run_l1(void (*operation)(void), uint64_t count)
{
	bool insns = counter_has_insns();
	struct counter before = counter_read(insns), after;

	for (uint64_t i = 0; i < count; i++)
		operation();
	after = counter_read(insns);
	return (struct counter){after.insns - before.insns, after.cycles - before.cycles};
}

static void measure_l1(const struct l1_item *item, uint64_t iterations)
{
	struct counter empty, full;

	run_l1(item->code, WARM_UP);
	empty = run_l1(l1_nothing, iterations);
	full = run_l1(item->code, iterations);
	printf("%s ", item->name);
	counter_print((full.insns - empty.insns) / iterations - item->own,
		      (full.cycles - empty.cycles) / iterations);
	printf("\n");
}

int main(void)
{
	uint64_t iterations = multiboot_option("iters", DEFAULT_ITERATIONS);
	uint64_t only = multiboot_option("item", 0);
	const char *refused = vmx_start();
	bool ept;

	if (refused)
		runtime_panic(ROUNDTRIP_NO_VMX, "roundtrip: %s", refused);
	if (!iterations || !vmx_new_vmcs())
		runtime_panic(ROUNDTRIP_NO_VMX, "roundtrip: no iterations, or no VMCS");
	ept = set_up_vmcs();
	counter_start();
	for (unsigned i = 0; i < sizeof(l2_items) / sizeof(l2_items[0]); i++) {
		if ((ept || !l2_items[i].needs_ept) && (!only || only == i + 1))
			measure_l2(&l2_items[i], iterations);
	}
	for (unsigned i = 0; !only && i < sizeof(l1_items) / sizeof(l1_items[0]); i++)
		measure_l1(&l1_items[i], iterations);
	return STATUS_OK;
}
