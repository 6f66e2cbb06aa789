/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What VMX tells people: the machine's own trap-log records, one per VM exit, completed at the next
 * VM entry, and the text that explains a failed VM entry.
 */
#include "l0/machine/interp/vmx/vmx.h"

#include <inttypes.h>
#include <stdio.h>

#include "l0/machine/debug/watch.h"
#include "l0/machine/gdb/gdb.h"
#include "l0/machine/hang.h"
#include "l0/machine/interp/vmx/private.h"
#include "l0/machine/levels.h"
#include "traces/machine_log.h"

/* ---- trap log ---- */

static uint32_t saturate(uint64_t value)
{
	return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

/* `retired`: at the end of what the exit led to. */
static void close_record(struct cpu *cpu, uint64_t retired, uint8_t flags)
{
	struct vmx_private *private = vmx_private(cpu);
	struct trap_record *record = &private->record;

	record->cycles = saturate(cpu_now(cpu) - record->cycles_at);
	record->insns = saturate(retired - record->insns_at);
	record->flags |= flags;
	private->record_open = false;
	trap_log_append(cpu->machine->log, record);
}

/* Of the guest that exits; a guest that was not entered has none. */
static uint8_t exiting_level(const struct cpu *cpu, bool failed_entry)
{
	unsigned level = 0;

	if (cpu->machine->levels && !failed_entry)
		level = levels_current(cpu->machine->levels);
	return level > UINT8_MAX ? UINT8_MAX : (uint8_t)level;
}

/* VMREAD and VMWRITE record which field it was, the rest the information field. */
static uint32_t logged_info(struct cpu *cpu, const struct vmx_exit_info *info)
{
	const struct vmcs *vmcs = cpu->vmx->vmcs;

	if (cpu->op && (info->reason == EXIT_REASON_VMREAD || info->reason == EXIT_REASON_VMWRITE))
		return (uint32_t)reg_read(cpu, cpu->op, cpu->op->reg, 4);
	return (uint32_t)vmcs_get(vmcs, EXIT_INSTRUCTION_INFO);
}

static void open_record(struct cpu *cpu, const struct vmx_exit_info *info, bool failed_entry)
{
	struct vmx_private *private = vmx_private(cpu);
	const struct vmcs *vmcs = cpu->vmx->vmcs;
	uint32_t failure = failed_entry ? EXIT_REASON_ENTRY_FAILURE : 0;

	/* An exit whose host never entered again, because it left VMX operation. */
	if (private->record_open)
		close_record(cpu, cpu_retired(cpu), 0);
	private->record = (struct trap_record){
		.cause = TRAP_NO_CAUSE,
		.qualification = info->qualification,
		.rip = vmcs_get(vmcs, GUEST_RIP),
		.gpa = info->gpa,
		.cycles_at = cpu_now(cpu),
		.insns_at = cpu_retired(cpu),
		.reason = (uint32_t)info->reason | failure,
		.insn_info = failed_entry ? 0 : logged_info(cpu, info),
		.interruption = info->interruption,
		.path = TRAP_PATH_MACHINE,
		.flags = (uint8_t)((info->has_gpa ? TRAP_GPA_VALID : 0) |
				   (failed_entry ? TRAP_ENTRY_FAILED : 0)),
		.insn_length = (uint8_t)vmcs_get(vmcs, EXIT_INSTRUCTION_LENGTH),
		.level = exiting_level(cpu, failed_entry),
	};
	private->record_open = true;
}

static void watch_exit(struct cpu *cpu, const struct vmx_exit_info *info, bool failed_entry)
{
	if (watches(cpu->machine, WATCH_EXITS) && !failed_entry)
		watch_tell(cpu->machine, "exit %s qualification=%" PRIx64,
			   vmx_exit_reason_name(info->reason), info->qualification);
	else if (watches(cpu->machine, WATCH_VMENTRY) && failed_entry)
		watch_tell(cpu->machine, "%s", vmx_last_failure(cpu));
}

/* A hypervisor may let a guest that halts with interrupts on execute its HLT anew until one comes. */
static bool waits(const struct cpu *cpu, enum vmx_exit_reason reason)
{
	return (reason == EXIT_REASON_HLT || reason == EXIT_REASON_MWAIT) &&
	       (vmcs_get(cpu->vmx->vmcs, GUEST_RFLAGS) & RFLAGS_IF);
}

static bool reads(enum vmx_exit_reason reason)
{
	static const uint64_t reasons = BIT64(EXIT_REASON_CPUID) | BIT64(EXIT_REASON_RDTSC) |
					BIT64(EXIT_REASON_RDTSCP) | BIT64(EXIT_REASON_RDPMC) |
					BIT64(EXIT_REASON_RDMSR) | BIT64(EXIT_REASON_VMREAD) |
					BIT64(EXIT_REASON_RDRAND) | BIT64(EXIT_REASON_RDSEED);

	return reason < 64 && (reasons & BIT64(reason));
}

static void tell_interruption(struct cpu *cpu, enum vmx_exit_reason reason)
{
	hang_saw_interruption(cpu->machine,
			      &(struct hang_interruption){
				      .guest = true,
				      .cause = HANG_EXIT,
				      .number = reason,
				      .rip = vmcs_get(cpu->vmx->vmcs, GUEST_RIP),
				      .retired = cpu_retired(cpu),
				      .gpr = cpu->gpr,
				      .reads = reads(reason),
			      });
}

void vmx_log_exit(struct cpu *cpu, const struct vmx_exit_info *info, bool failed_entry)
{
	watch_exit(cpu, info, failed_entry);
	if (cpu->machine->log)
		open_record(cpu, info, failed_entry);
	if (!cpu->machine->levels)
		return;
	if (failed_entry) {
		levels_fail(cpu->machine->levels, info->reason);
		return;
	}
	if (!waits(cpu, info->reason))
		tell_interruption(cpu, info->reason);
	levels_exit(cpu->machine->levels,
		    &(struct levels_exit){.insns = cpu_retired(cpu),
					  .rip = vmcs_get(cpu->vmx->vmcs, GUEST_RIP),
					  .qualification = info->qualification,
					  .reason = info->reason},
		    cpu->gpr);
	if (cpu->machine->gdb)
		gdb_saw_exit(cpu->machine, levels_current(cpu->machine->levels), info->reason);
}

void vmx_log_entry(struct cpu *cpu, bool failed)
{
	/* VMLAUNCH or VMRESUME itself is still to be counted, and is L0's. */
	uint64_t retired = cpu_retired(cpu) + !failed;
	unsigned level;

	if (cpu->machine->log && vmx_private(cpu)->record_open)
		close_record(cpu, retired, failed ? TRAP_ENTRY_FAILED : 0);
	if (!cpu->machine->levels || failed)
		return;
	level = levels_enter(cpu->machine->levels, cpu->vmx->current, cpu->vmx->eptp, retired);
	hang_saw_entry(cpu->machine, cpu->vmx->current, NULL);
	hang_saw_return(cpu->machine, true, vmcs_get(cpu->vmx->vmcs, GUEST_RIP),
			vmcs_get(cpu->vmx->vmcs, GUEST_RSP), retired);
	if (cpu->machine->gdb)
		gdb_saw_entry(cpu->machine, level);
	if (watches(cpu->machine, WATCH_VMENTRY))
		watch_tell(cpu->machine, "vmentry vmcs=%" PRIx64 " to=%" PRIx64, cpu->vmx->current,
			   vmcs_get(cpu->vmx->vmcs, GUEST_RIP));
}

void vmx_finish(struct cpu *cpu)
{
	if (cpu->machine->log && vmx_private(cpu)->record_open)
		close_record(cpu, cpu_retired(cpu), 0);
}

/* ---- failed entries ---- */

const char *vmx_last_failure(struct cpu *cpu)
{
	return vmx_private(cpu)->failure;
}

void vmx_describe_text(struct cpu *cpu, const char *text)
{
	snprintf(vmx_private(cpu)->failure, sizeof(vmx_private(cpu)->failure), "VM entry: %s",
		 text);
}

void vmx_describe_check(struct cpu *cpu, const struct vmx_check *check)
{
	struct vmx_private *private = vmx_private(cpu);
	size_t size = sizeof(private->failure), used;

	snprintf(private->failure, size, "VM entry: %s: %s (SDM \"%s\")", check->name, check->rule,
		 check->sdm);
	for (unsigned i = 0; i < 4 && check->fields[i]; i++) {
		unsigned index = check->fields[i] - 1u;

		for (used = 0; private->failure[used]; used++)
			;
		snprintf(private->failure + used, size - used, " %s=0x%" PRIx64,
			 vmcs_fields[index].name, cpu->vmx->vmcs->field[index]);
	}
}

void vmx_describe_msr(struct cpu *cpu, uint32_t number)
{
	struct vmx_private *private = vmx_private(cpu);
	uint64_t address = vmcs_get(cpu->vmx->vmcs, ENTRY_MSR_LOAD_ADDRESS) +
			   (number - UINT64_C(1)) * sizeof(struct vmx_msr_entry);

	snprintf(private->failure, sizeof(private->failure),
		 "VM entry: MSR-load area, entry %" PRIu32 ": MSR 0x%" PRIx32
		 " cannot be loaded with 0x%" PRIx64,
		 number, (uint32_t)phys_read(cpu, address, 4), phys_read(cpu, address + 8, 8));
}
