/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The instruction boundary: which event comes next. SDM 3A "Priority Among Concurrent Events"; the
 * places of VM exits in it: SDM 3C "Other Causes of VM Exits", "VMX-Preemption Timer", "Monitor
 * Trap Flag".
 */
#include "l0/machine/devices/lapic.h"
#include "l0/machine/interp/branch.h"
#include "l0/machine/interp/pt/pt.h"
#include "l0/machine/interp/rtm.h"
#include "l0/machine/interp/sys.h"

/* True once an instruction has retired since the call that saw the condition first. */
static bool moved_on(const struct cpu *cpu, uint64_t *seen)
{
	if (*seen == UINT64_MAX) {
		*seen = cpu->insns;
		return false;
	}
	if (*seen == cpu->insns)
		return false;
	*seen = UINT64_MAX;
	return true;
}

/* Ends what lasts for one instruction, and finds the single-step trap of the one just done. TF
 * counts as it was when the instruction started: SDM 3B "Single-Step Exception Condition". */
static void attend_account(struct cpu *cpu)
{
	uint64_t epoch = cpu->vmx->exits + cpu->vmx->entries;
	bool stepped;

	if (epoch != cpu->seen.epoch) {
		cpu->seen.shadow = cpu->seen.rf = cpu->seen.step = UINT64_MAX;
		cpu->seen.epoch = epoch;
	}
	if ((cpu->sti_shadow || cpu->mov_ss_shadow) && moved_on(cpu, &cpu->seen.shadow))
		cpu->sti_shadow = cpu->mov_ss_shadow = false;
	if ((cpu->eflags_rest & RFLAGS_RF) && moved_on(cpu, &cpu->seen.rf))
		cpu->eflags_rest &= ~RFLAGS_RF;
	stepped = cpu->seen.step != UINT64_MAX && cpu->seen.step != cpu->insns;
	if (cpu->msrs.debugctl & DEBUGCTL_BTF) /* SDM 3B "Single-Stepping on Branches" */
		stepped = stepped && cpu->branch.taken;
	if (stepped && !cpu->mov_ss_shadow)
		cpu->pending_debug |= DR6_BS;
	cpu->seen.step = cpu->eflags_rest & RFLAGS_TF ? cpu->insns : UINT64_MAX;
}

static bool attend_deliver(struct cpu *cpu, uint8_t vector, enum vmx_intr_type type, uint64_t dr6)
{
	cpu->event = (struct cpu_event){
		.valid = true, .vector = vector, .type = (uint8_t)type, .dr6 = dr6
	};
	if (rtm_active(cpu) && !rtm_meet_event(cpu, &cpu->event)) {
		cpu->event.valid = false;
		return true;
	}
	cpu_deliver_event(cpu);
	return true;
}

/* SDM 3A "Processor State After INIT", "Local APIC State After an INIT Reset". A processor that is
 * not the bootstrap processor goes on with a start-up IPI, the other one as after a reset. */
static void init(struct cpu *cpu)
{
	struct lapic *lapic = cpu->machine->lapic;
	uint64_t from;

	rtm_interrupted(cpu);
	from = cpu_rip(cpu);
	cpu_reset(cpu, true);
	cpu->pt.cr3_loaded = true;
	if (cpu->pt.on)
		pt_event(cpu, from);
	lapic_reset(lapic, true);
	if (!(lapic_base(lapic) & APIC_BASE_BSP))
		cpu->activity = ACTIVITY_WAIT_SIPI;
}

static bool attend_init(struct cpu *cpu)
{
	uint8_t vector = cpu->sipi_vector;

	if (cpu->init_pending && !(cpu->vmx->on && vmx_attend_init(cpu))) {
		init(cpu);
		return true;
	}
	if (!cpu->sipi_pending)
		return false;
	cpu->sipi_pending = false;
	if ((cpu->vmx->on && vmx_attend_sipi(cpu, vector)) || cpu->activity != ACTIVITY_WAIT_SIPI)
		return false;
	cpu_start_up(cpu, vector);
	return true;
}

/* Traps of the previous instruction. MOV SS holds them back, and so does an inactive processor that
 * only INIT, NMI or a SIPI can wake. */
static bool attend_traps(struct cpu *cpu)
{
	uint64_t pending = cpu->pending_debug;

	if (!pending || cpu->mov_ss_shadow || cpu->activity > ACTIVITY_HLT)
		return false;
	cpu->pending_debug = 0;
	return attend_deliver(cpu, VECTOR_DB, INTR_TYPE_HARDWARE_EXCEPTION, pending);
}

static bool attend_nmi(struct cpu *cpu)
{
	if (!cpu->nmi_pending || cpu->nmi_blocked || cpu->mov_ss_shadow ||
	    cpu->activity == ACTIVITY_WAIT_SIPI)
		return false;
	if (cpu->vmx->nonroot && !vmx_attend_nmi(cpu))
		return false;
	cpu->nmi_pending = false;
	return attend_deliver(cpu, VECTOR_NMI, INTR_TYPE_NMI, 0);
}

/* The shadows hold back VM exits due to interrupts, too; IF does not, SDM 3C "Event Blocking". */
static bool attend_interrupt(struct cpu *cpu)
{
	if (cpu->activity > ACTIVITY_HLT || cpu_sti_blocking(cpu) || cpu->mov_ss_shadow ||
	    !machine_interrupt_pending(cpu->machine))
		return false;
	if (cpu->vmx->nonroot && !vmx_attend_interrupt(cpu))
		return false;
	if (!(cpu->eflags_rest & RFLAGS_IF)) {
		cpu_end_masked_wait(cpu);
		return false;
	}
	return attend_deliver(cpu, machine_interrupt_ack(cpu->machine), INTR_TYPE_EXTERNAL, 0);
}

static bool attend_virtual_interrupt(struct cpu *cpu)
{
	if (!cpu->vmx->nonroot || !vmx_attend_virtual_interrupt(cpu))
		return false;
	cpu_deliver_event(cpu);
	return true;
}

static bool attend_code_breakpoint(struct cpu *cpu)
{
	uint64_t hits, linear = cpu_rip(cpu);

	if (!debug_armed(cpu, BIT32(DEBUG_EXECUTE)) || (cpu->eflags_rest & RFLAGS_RF) ||
	    cpu->mov_ss_shadow || cpu->activity != ACTIVITY_ACTIVE)
		return false;
	if (!cpu_code64(cpu))
		linear = (uint32_t)(cpu->seg[SEG_CS].base + linear);
	hits = debug_match(cpu, BIT32(DEBUG_EXECUTE), linear, 1);
	return hits && attend_deliver(cpu, VECTOR_DB, INTR_TYPE_HARDWARE_EXCEPTION, hits);
}

/* One event, the one of highest priority; false: none. */
static bool attend_once(struct cpu *cpu)
{
	if (attend_init(cpu))
		return true;
	if (cpu->vmx->nonroot)
		vmx_attend_before_traps(cpu);
	if (attend_traps(cpu))
		return true;
	if (cpu->vmx->nonroot)
		vmx_attend_timer_and_windows(cpu);
	return attend_nmi(cpu) || attend_interrupt(cpu) || attend_virtual_interrupt(cpu) ||
	       attend_code_breakpoint(cpu);
}

/* Must the CPU look again after the next instruction, whatever happens meanwhile? */
static bool attend_again(const struct cpu *cpu)
{
	return cpu->sti_shadow || cpu->mov_ss_shadow || cpu->pending_debug ||
	       (cpu->eflags_rest & (RFLAGS_TF | RFLAGS_RF)) ||
	       debug_armed(cpu, BIT32(DEBUG_EXECUTE)) || vmx_wants_attention(cpu);
}

void cpu_attend(struct cpu *cpu)
{
	do {
		branch_attend(cpu);
		cpu->attention = false; /* before looking: cpu_ops.poke may set it at any time */
		attend_account(cpu);
	} while (attend_once(cpu) && !cpu->machine->stop);
	cpu->branch.watched = branch_watched(cpu);
	if (attend_again(cpu))
		cpu->attention = true;
}
