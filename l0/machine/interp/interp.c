/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The interpreter as a CPU backend: the run loop. Between blocks it delivers events, lets virtual
 * time catch up with the event queue, and sees to it that both fall on exact instruction
 * boundaries: a block that does not fit into the time to the next event is stepped.
 */
#include "l0/machine/debug/context.h"
#include "l0/machine/gdb/gdb.h"
#include "l0/machine/hang.h"
#include "l0/machine/hits.h"
#include "l0/machine/interp/branch.h"
#include "l0/machine/interp/chain.h"
#include "l0/machine/interp/perf.h"
#include "l0/machine/interp/profile.h"
#include "l0/machine/interp/pt/pt.h"
#include "l0/machine/interp/sys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longest time between looks at what a signal handler may have asked for. */
#define SLICE_CYCLES (UINT64_C(1) << 21)

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Sets the time of the next look at the world. No instruction costs less than a cycle, so that many
 * cycles as instructions are left cannot overrun the limit. */
static void set_deadline(struct cpu *cpu, uint64_t now)
{
	struct machine *machine = cpu->machine;
	uint64_t at = min64(event_next(&machine->events), vmx_next_event(cpu));

	at = min64(at, min64(perf_next_event(cpu, now), now + SLICE_CYCLES));
	if (machine->max_insns)
		at = min64(at, now + (machine->max_insns - min64(machine->max_insns, cpu->insns)));
	cpu->deadline = at;
	cpu->budget = (int64_t)(at - now);
}

/* HLT and its like: nothing executes until something wakes the CPU, so time skips to the next
 * event. */
static void sleep_until_event(struct cpu *cpu)
{
	struct machine *machine = cpu->machine;
	uint64_t next = min64(event_next(&machine->events), vmx_next_event(cpu));
	uint64_t now = cpu_now(cpu);

	if (next == EVENT_NEVER) {
		machine_stop(machine, STOP_HALTED, 0);
		return;
	}
	if (next < now)
		next = now;
	hang_saw_sleep(machine, !cpu_waits_for_interrupt(cpu), cpu->insns);
	cpu->pt.slept = true;
	cpu->halted += next - now;
	cpu->deadline = next;
	cpu->budget = 0;
}

/* An instruction boundary that wants a look. */
static void boundary(struct cpu *cpu)
{
	struct machine *machine = cpu->machine;
	uint64_t now = cpu_now(cpu);

	event_run(&machine->events, now);
	if (machine->max_insns && cpu->insns >= machine->max_insns)
		machine_stop(machine, STOP_INSN_LIMIT, 0);
	perf_attend(cpu);
	set_deadline(cpu, now);
	if (!machine->stop)
		cpu_attend(cpu);
	set_deadline(cpu, cpu_now(cpu));
}

/* The entry op of what is at RIP. The jump cache knows most of it, and nothing that is not flat. */
static const struct op *find_entry(struct cpu *cpu)
{
	const struct op *entry = jump_find(cpu, cpu_rip(cpu));

	if (entry && entry->fn == op_enter && !cpu->blocks->edge && !cpu->blocks->dead &&
	    (cpu->mode & MODE_FLAT))
		return entry;
	return blocks_find(cpu, 0)->ops;
}

/* The one instruction at RIP. With --profile no other way is taken, so that each is counted. */
static const struct op *find_single(struct cpu *cpu)
{
	const struct block *block = blocks_find(cpu, MODE_SINGLE);

	if (unlikely(cpu->machine->hits))
		hits_at(cpu->machine->hits, cpu_rip(cpu), block->hpa, block->length, cpu->insns);
	return block->ops;
}

/* A debugger looks at every instruction. */
static bool debugged(const struct cpu *cpu)
{
	return cpu->machine->gdb && gdb_wants(cpu->machine->gdb);
}

static void execute(struct cpu *cpu)
{
	const struct op *entry = NULL;

	if (unlikely(cpu->pt.on))
		pt_ready(cpu);
	blocks_refresh_key(cpu);
	cpu->stepping = cpu->attention;
	cpu->attention = false;
	if (unlikely(cpu->perf.precise))
		cpu->pebs.last = cpu_rip(cpu);
	else if (!cpu->stepping && likely(!cpu->machine->hits) && likely(!debugged(cpu)) &&
		 likely(!cpu->pt.on))
		entry = find_entry(cpu);
	if (!entry || cpu->budget < (int64_t)entry->cycles)
		entry = find_single(cpu);
	if (unlikely(cpu->branch.watched))
		branch_begin(cpu, entry);
	cpu->blocks->edge = cpu->blocks->dead = NULL;
	OP_RUN(cpu, entry);
}

static void turn(struct cpu *cpu)
{
	cpu->in_block = false;
	cpu->code_written = false;
	cpu->op = NULL;
	if (cpu->stepping) {
		cpu->stepping = false;
		cpu->attention = true;
	}
	if (unlikely(cpu->pt.on))
		pt_boundary(cpu);
	if (cpu->event.valid)
		cpu_deliver_event(cpu);
	if (cpu->attention || cpu->budget <= 0)
		boundary(cpu);
	if (cpu->machine->stop || cpu->event.valid)
		return;
	if (cpu->activity != ACTIVITY_ACTIVE)
		sleep_until_event(cpu);
	else if (cpu->budget > 0 && !(unlikely(debugged(cpu)) && gdb_before_insn(cpu->machine)))
		execute(cpu);
}

static void interp_run(struct cpu *cpu)
{
	jmp_buf escape;

	cpu->escape = &escape;
	(void)setjmp(escape);
	while (!cpu->machine->stop)
		turn(cpu);
	cpu->in_block = false;
	cpu->op = NULL;
	if (cpu->machine->hits)
		hits_end(cpu->machine->hits, cpu->insns);
	vmx_finish(cpu);
}

void cpu_mode_changed(struct cpu *cpu)
{
	cpu->mode = decode_mode_key(cpu);
	mmu_mode_changed(cpu);
}

/* ---- struct cpu_ops ---- */

static void interp_destroy(struct cpu *cpu)
{
	blocks_destroy(cpu);
	vmx_free(cpu);
	mmu_free(cpu);
	free((void *)(uintptr_t)cpu->profile);
	free(cpu);
}

static bool create_parts(struct cpu *cpu)
{
	return mmu_init(cpu) && vmx_init(cpu, &cpu->profile->caps) && blocks_create(cpu);
}

/* The parts' memory stays and is all that does: what is not put back cannot be forgotten. */
static void interp_power_cycle(struct cpu *cpu)
{
	struct machine *machine = cpu->machine;
	const struct cpu_profile *profile = cpu->profile;
	struct mmu_spaces *spaces = cpu->mmu.spaces;
	struct vmx_state *vmx = cpu->vmx;
	struct blocks *blocks = cpu->blocks;

	memset(cpu, 0, sizeof(*cpu));
	cpu->machine = machine;
	cpu->profile = profile;
	cpu->mmu.spaces = spaces;
	mmu_restart(cpu);
	cpu->vmx = vmx;
	vmx_restart(cpu);
	cpu->blocks = blocks;
	blocks_restart(cpu);
	cpu_reset(cpu, false);
}

static struct cpu *interp_create(struct machine *machine, const char *profile)
{
	struct cpu *cpu = aligned_alloc(64, (sizeof(*cpu) + 63) & ~(size_t)63);
	struct cpu_profile *part = calloc(1, sizeof(*part));
	char error[256];

	if (!cpu || !part || !cpu_profile_parse(profile, part, error, sizeof(error))) {
		fprintf(stderr, "abyme: %s\n", cpu && part ? error : "out of memory");
		free(cpu);
		free(part);
		return NULL;
	}
	memset(cpu, 0, sizeof(*cpu));
	cpu->machine = machine;
	cpu->profile = part;
	if (!create_parts(cpu)) {
		fprintf(stderr, "abyme: out of memory\n");
		interp_destroy(cpu);
		return NULL;
	}
	cpu_reset(cpu, false);
	return cpu;
}

static bool interp_boot(struct cpu *cpu, const struct cpu_boot_state *state)
{
	cpu_boot(cpu, state);
	cpu->attention = true;
	return true;
}

static uint64_t interp_now(struct cpu *cpu)
{
	return cpu_now(cpu);
}

static void interp_poke(struct cpu *cpu)
{
	cpu->attention = true;
}

static void interp_nmi(struct cpu *cpu)
{
	cpu->nmi_pending = true;
	cpu->attention = true;
}

static void interp_a20_changed(struct cpu *cpu)
{
	mmu_flush_all(cpu);
}

static void interp_init(struct cpu *cpu)
{
	cpu->init_pending = true;
	cpu->attention = true;
}

static void interp_sipi(struct cpu *cpu, uint8_t vector)
{
	cpu->sipi_pending = true;
	cpu->sipi_vector = vector;
	cpu->attention = true;
}

static void interp_stats(struct cpu *cpu, struct cpu_stats *stats)
{
	stats->instructions = cpu_retired(cpu);
	stats->cycles = cpu_now(cpu);
}

static void interp_report_exits(struct cpu *cpu,
				void (*emit)(void *opaque, const char *reason, uint64_t count),
				void *opaque)
{
	for (uint32_t reason = 0; reason < EXIT_REASON_COUNT; reason++)
		if (cpu->vmx->exit_counts[reason])
			emit(opaque, vmx_exit_reason_name(reason), cpu->vmx->exit_counts[reason]);
}

static bool interp_in_guest(const struct cpu *cpu)
{
	return cpu->vmx->nonroot;
}

static void interp_context(const struct cpu *cpu, struct context *context)
{
	*context = (struct context){
		.gpr_known = true,
		.rip = cpu->op ? cpu_insn_rip(cpu) : cpu_rip(cpu),
		.rflags = cpu_rflags(cpu),
		.gdtr_base = cpu->gdtr.base,
		.gdtr_limit = cpu->gdtr.limit,
		.idtr_base = cpu->idtr.base,
		.idtr_limit = cpu->idtr.limit,
		.cr0 = cpu->cr0,
		.cr2 = cpu->cr2,
		.cr3 = cpu->cr3,
		.cr4 = cpu->cr4,
		.efer = cpu->efer,
		.eptp = cpu->vmx->eptp,
	};
	memcpy(context->gpr, cpu->gpr, sizeof(context->gpr));
	memcpy(context->pdpte, cpu->pdpte, sizeof(context->pdpte));
	for (unsigned i = 0; i < SEG_COUNT; i++)
		context->seg[i] = (struct context_segment){cpu->seg[i].base, cpu->seg[i].limit,
							   cpu->seg[i].ar, cpu->seg[i].selector};
}

static bool interp_set_context(struct cpu *cpu, const struct context *context)
{
	memcpy(cpu->gpr, context->gpr, sizeof(context->gpr));
	cpu_rip(cpu) = context->rip;
	cpu_set_rflags(cpu, context->rflags);
	cpu->attention = true;
	cpu_mode_changed(cpu);
	return true;
}

static void interp_list_profiles(void)
{
	struct cpu_profile profile;
	char error[256];

	if (cpu_profile_parse(NULL, &profile, error, sizeof(error)))
		cpu_profile_list(stdout, &profile);
}

const struct cpu_ops interp_cpu_ops = {
    .name = "interp",
    .create = interp_create,
    .destroy = interp_destroy,
    .power_cycle = interp_power_cycle,
    .boot = interp_boot,
    .run = interp_run,
    .now = interp_now,
    .poke = interp_poke,
    .nmi = interp_nmi,
    .init = interp_init,
    .a20_changed = interp_a20_changed,
    .sipi = interp_sipi,
    .stats = interp_stats,
    .report_exits = interp_report_exits,
    .last_failure = vmx_last_failure,
    .list_profiles = interp_list_profiles,
    .in_guest = interp_in_guest,
    .context = interp_context,
    .set_context = interp_set_context,
    .memory_written = blocks_written,
};
