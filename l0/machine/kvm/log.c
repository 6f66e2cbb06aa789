/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Exits to this process as records of the machine's own stream. What KVM handles in the kernel is
 * not among them, and instructions are not counted here: the kernel knows, this process does not.
 */
#include "l0/machine/kvm/kvm.h"

#include <sys/ioctl.h>

#include "traces/machine_log.h"

static uint64_t guest_rip(struct kvm_cpu *cpu)
{
	struct kvm_regs regs;

	if (cpu->sync_regs)
		return cpu->run->s.regs.regs.rip;
	return ioctl(cpu->vcpu, KVM_GET_REGS, &regs) ? 0 : regs.rip;
}

void kvm_log_exit(struct kvm_cpu *cpu, uint32_t reason, uint64_t qualification, bool has_gpa,
		  uint64_t gpa)
{
	if (!cpu->machine->log)
		return;
	cpu->record = (struct trap_record){
		.cause = TRAP_NO_CAUSE,
		.qualification = qualification,
		.rip = guest_rip(cpu),
		.gpa = gpa,
		.cycles_at = machine_now(cpu->machine),
		.reason = reason,
		.path = TRAP_PATH_MACHINE,
		.flags = has_gpa ? TRAP_GPA_VALID : 0,
	};
	cpu->record_open = true;
}

void kvm_log_entry(struct kvm_cpu *cpu)
{
	uint64_t cycles;

	if (!cpu->record_open)
		return;
	cycles = machine_now(cpu->machine) - cpu->record.cycles_at;
	cpu->record.cycles = cycles > UINT32_MAX ? UINT32_MAX : (uint32_t)cycles;
	cpu->record_open = false;
	trap_log_append(cpu->machine->log, &cpu->record);
}
