/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMX state of a CPU: creation, reset, capability MSRs, and the small rules that several files
 * need.
 */
#include "l0/machine/interp/vmx/vmx.h"

#include <stdlib.h>
#include <string.h>

#include "l0/machine/interp/vmx/private.h"

bool vmx_init(struct cpu *cpu, const struct vmx_caps *caps)
{
	cpu->vmx = calloc(1, sizeof(*cpu->vmx));
	if (!cpu->vmx)
		return false;
	cpu->vmx->private = calloc(1, sizeof(*cpu->vmx->private));
	if (!cpu->vmx->private) {
		free(cpu->vmx);
		cpu->vmx = NULL;
		return false;
	}
	cpu->vmx->caps = caps;
	vmx_recheck_init(cpu);
	vmx_reset(cpu);
	return true;
}

void vmx_restart(struct cpu *cpu)
{
	struct vmx_state *vmx = cpu->vmx;

	*vmx = (struct vmx_state){.caps = vmx->caps, .private = vmx->private};
	memset(vmx->private, 0, sizeof(*vmx->private));
	vmx_recheck_init(cpu);
	vmx_reset(cpu);
}

void vmx_free(struct cpu *cpu)
{
	if (cpu->vmx)
		free(cpu->vmx->private);
	free(cpu->vmx);
	cpu->vmx = NULL;
}

void vmx_leave_nonroot(struct vmx_state *vmx)
{
	vmx->nonroot = false;
	vmx->pin = vmx->primary = vmx->secondary = 0;
	vmx->exit_controls = vmx->entry_controls = vmx->exception_bitmap = 0;
	vmx->eptp = 0;
	vmx->tsc_offset = 0;
	vmx->tsc_multiplier = BIT64(48);
	vmx->apic_access = UINT64_MAX;
	vmx->virtual_nmi_blocked = vmx->mtf_pending = false;
	vmx->private->timer_due = EVENT_NEVER;
	vmx->private->apic_pending = APIC_NOTHING;
	vmx->private->virtual_interrupt = false;
	vmx->private->iret_unblocked_nmi = false;
}

void vmx_reset(struct cpu *cpu)
{
	struct vmx_state *vmx = cpu->vmx;

	vmx->on = false;
	vmx->vmxon_pointer = vmx->current = VMX_NO_VMCS;
	vmx->vmcs = NULL;
	vmx->vpid = 0;
	vmx_leave_nonroot(vmx);
}

bool vmx_rdmsr(struct cpu *cpu, uint32_t msr, uint64_t *value)
{
	return vmx_caps_read(cpu->vmx->caps, msr, value);
}

uint64_t vmx_guest_tsc(const struct cpu *cpu, uint64_t tsc)
{
	const struct vmx_state *vmx = cpu->vmx;

	/* SDM 3C "Changes to Instruction Behavior in VMX Non-Root Operation", RDTSC */
	if (vmx->tsc_multiplier != BIT64(48))
		tsc = (uint64_t)((unsigned __int128)tsc * vmx->tsc_multiplier >> 48);
	return tsc + vmx->tsc_offset;
}

/* ---- SDM 3C "Conventions": VMsucceed, VMfailInvalid, VMfailValid ---- */

static void set_status(struct cpu *cpu, uint64_t flags)
{
	cpu_set_rflags(cpu, (cpu_rflags(cpu) & ~RFLAGS_STATUS) | flags);
}

void vmx_set_succeed(struct cpu *cpu)
{
	set_status(cpu, 0);
}

void vmx_set_fail_invalid(struct cpu *cpu)
{
	set_status(cpu, RFLAGS_CF);
}

void vmx_set_fail(struct cpu *cpu, struct vmcs *vmcs, enum vmx_error error)
{
	if (!vmcs) {
		vmx_set_fail_invalid(cpu);
		return;
	}
	set_status(cpu, RFLAGS_ZF);
	vmcs_set(vmcs, INSTRUCTION_ERROR, error);
}

/* ---- addresses ---- */

bool vmx_address_valid(const struct cpu *cpu, uint64_t address)
{
	return !PAGE_OFFSET(address) && !(address >> cpu->vmx->caps->maxphyaddr);
}

struct vmcs *vmx_vmcs_at(struct cpu *cpu, uint64_t address)
{
	/* A whole region, whatever was stored into the VMCS that the address came from. */
	return (struct vmcs *)(void *)memory_at(&cpu->machine->memory, PAGE_BASE(address));
}

/* ---- what every VMX instruction does first ---- */

void vmx_require_operation(struct cpu *cpu)
{
	if (!cpu->vmx->on || cpu_real_or_vm86(cpu) || (cpu_long_mode(cpu) && !cpu_code64(cpu)))
		cpu_fault(cpu, VECTOR_UD);
}

uint64_t vmx_operand_linear(struct cpu *cpu, const struct op *op, unsigned size, unsigned access)
{
	if (!(op->flags & OP_MEMORY))
		cpu_fault(cpu, VECTOR_UD);
	return seg_linear(cpu, op->seg, op_ea(cpu, op), size, access);
}
