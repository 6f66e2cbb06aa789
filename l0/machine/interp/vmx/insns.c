/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The VMX instructions that manage VMX operation and the current VMCS. Each follows the order of
 * checks in its "Operation" section, SDM 3C "VMX Instruction Reference".
 */
#include "l0/machine/interp/vmx/vmx.h"

#include <stddef.h>

#include "l0/machine/interp/pt/pt.h"
#include "l0/machine/interp/vmx/private.h"
#include "l0/machine/levels.h"

/* VMfail(error): valid if there is a current VMCS. */
static void fail(struct cpu *cpu, enum vmx_error error)
{
	vmx_set_fail(cpu, cpu->vmx->vmcs, error);
}

/* The prologue that all but VMXON and VMCALL share: #UD, VM exit, #GP(0). */
static void require_root(struct cpu *cpu, const struct op *op, enum vmx_exit_reason reason)
{
	vmx_require_operation(cpu);
	if (cpu->vmx->nonroot)
		vmx_exit(cpu, reason, vmx_displacement(cpu, op));
	if (cpu->cpl > 0)
		cpu_fault_code(cpu, VECTOR_GP, 0);
}

static uint64_t read_pointer(struct cpu *cpu, const struct op *op)
{
	return lin_read(cpu, vmx_operand_linear(cpu, op, 8, MEM_READ), 8, MEM_READ);
}

/* ---- VMXON, VMXOFF ---- */

static bool supported_in_vmx(uint64_t value, uint64_t fixed0, uint64_t fixed1)
{
	return (value & fixed0) == fixed0 && !(value & ~fixed1);
}

/* SDM 3C "Enabling and Entering VMX Operation", "Restrictions on VMX Operation" */
static bool vmxon_allowed(const struct cpu *cpu)
{
	const struct vmx_caps *caps = cpu->vmx->caps;
	uint64_t needed = FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX_OUTSIDE_SMX;

	return cpu->cpl == 0 && cpu->machine->a20_off != A20_SOURCES &&
	       supported_in_vmx(cpu->cr0, vmx_cap(caps, CR0_FIXED0), vmx_cap(caps, CR0_FIXED1)) &&
	       supported_in_vmx(cpu->cr4, vmx_cap(caps, CR4_FIXED0), vmx_cap(caps, CR4_FIXED1)) &&
	       (cpu->msrs.feature_control & needed) == needed;
}

static void enter_vmx_operation(struct cpu *cpu, uint64_t address)
{
	struct vmx_state *vmx = cpu->vmx;

	if (!vmx_address_valid(cpu, address) || phys_read(cpu, address, 4) != VMCS_REVISION) {
		vmx_set_fail_invalid(cpu);
		return;
	}
	if (!pt_in_vmx(cpu)) /* SDM 3C "Enabling and Entering VMX Operation" */
		pt_disable(cpu);
	vmx->on = true;
	vmx->vmxon_pointer = address;
	vmx->current = VMX_NO_VMCS;
	vmx->vmcs = NULL;
	vmx_set_succeed(cpu);
}

void insn_vmxon(struct cpu *cpu, const struct op *op)
{
	struct vmx_state *vmx = cpu->vmx;

	if (!(op->flags & OP_MEMORY) || cpu_real_or_vm86(cpu) || !(cpu->cr4 & CR4_VMXE) ||
	    (cpu_long_mode(cpu) && !cpu_code64(cpu)))
		cpu_fault(cpu, VECTOR_UD);
	if (!vmx->on) {
		if (!vmxon_allowed(cpu))
			cpu_fault_code(cpu, VECTOR_GP, 0);
		enter_vmx_operation(cpu, read_pointer(cpu, op));
		return;
	}
	if (vmx->nonroot)
		vmx_exit(cpu, EXIT_REASON_VMXON, vmx_displacement(cpu, op));
	if (cpu->cpl > 0)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	fail(cpu, VMX_ERROR_VMXON_IN_ROOT);
}

void insn_vmxoff(struct cpu *cpu, const struct op *op)
{
	require_root(cpu, op, EXIT_REASON_VMXOFF);
	vmx_reset(cpu);
	/* INIT was blocked in root operation. */
	if (cpu->init_pending)
		cpu->attention = true;
	vmx_set_succeed(cpu);
}

/* ---- VMCLEAR, VMPTRLD, VMPTRST ---- */

void insn_vmclear(struct cpu *cpu, const struct op *op)
{
	struct vmx_state *vmx = cpu->vmx;
	uint64_t address;

	require_root(cpu, op, EXIT_REASON_VMCLEAR);
	address = read_pointer(cpu, op);
	if (!vmx_address_valid(cpu, address)) {
		fail(cpu, VMX_ERROR_VMCLEAR_ADDRESS);
		return;
	}
	if (address == vmx->vmxon_pointer) {
		fail(cpu, VMX_ERROR_VMCLEAR_VMXON_POINTER);
		return;
	}
	phys_write(cpu, address + offsetof(struct vmcs, launch_state), 4, VMCS_STATE_CLEAR);
	if (cpu->machine->levels)
		levels_clear(cpu->machine->levels, address);
	if (vmx->current == address) {
		vmx->current = VMX_NO_VMCS;
		vmx->vmcs = NULL;
	}
	vmx_set_succeed(cpu);
}

static bool revision_accepted(const struct cpu *cpu, uint32_t revision)
{
	if ((revision & VMCS_SHADOW_INDICATOR) && !vmx_feature(cpu, VMX_FEATURE_VMCS_SHADOWING))
		return false;
	return (revision & ~VMCS_SHADOW_INDICATOR) == VMCS_REVISION;
}

void insn_vmptrld(struct cpu *cpu, const struct op *op)
{
	struct vmx_state *vmx = cpu->vmx;
	uint64_t address;

	require_root(cpu, op, EXIT_REASON_VMPTRLD);
	address = read_pointer(cpu, op);
	if (!vmx_address_valid(cpu, address)) {
		fail(cpu, VMX_ERROR_VMPTRLD_ADDRESS);
		return;
	}
	if (address == vmx->vmxon_pointer) {
		fail(cpu, VMX_ERROR_VMPTRLD_VMXON_POINTER);
		return;
	}
	/* Without RAM there the revision reads as all ones and is refused. */
	if (!revision_accepted(cpu, (uint32_t)phys_read(cpu, address, 4))) {
		fail(cpu, VMX_ERROR_VMPTRLD_REVISION);
		return;
	}
	if (vmx->current != address) {
		/* From here on fields are written through a host pointer. */
		blocks_written(cpu, address, VMCS_REGION_SIZE);
		vmx->current = address;
		vmx->vmcs = vmx_vmcs_at(cpu, address);
	}
	pt_vmcs_loaded(cpu);
	vmx_set_succeed(cpu);
}

void insn_vmptrst(struct cpu *cpu, const struct op *op)
{
	require_root(cpu, op, EXIT_REASON_VMPTRST);
	lin_write(cpu, vmx_operand_linear(cpu, op, 8, MEM_WRITE), 8, cpu->vmx->current, MEM_WRITE);
	vmx_set_succeed(cpu);
}

/* ---- VMCALL, VMLAUNCH, VMRESUME ---- */

void insn_vmcall(struct cpu *cpu, const struct op *op)
{
	if (!cpu->vmx->on)
		cpu_fault(cpu, VECTOR_UD);
	/* In non-root operation VMCALL exits whatever the mode and CPL are. */
	if (cpu->vmx->nonroot)
		vmx_exit(cpu, EXIT_REASON_VMCALL, 0);
	vmx_require_operation(cpu);
	if (cpu->cpl > 0)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	/* No dual-monitor treatment of SMM: outside SMM VMCALL can only fail. */
	fail(cpu, VMX_ERROR_VMCALL_IN_ROOT);
}

static void launch_or_resume(struct cpu *cpu, const struct op *op, bool launch)
{
	struct vmx_state *vmx = cpu->vmx;
	bool launched;

	vmx_require_operation(cpu);
	if (vmx->nonroot)
		vmx_exit(cpu, launch ? EXIT_REASON_VMLAUNCH : EXIT_REASON_VMRESUME, 0);
	if (cpu->cpl > 0)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	if (!vmx->vmcs || (vmx->vmcs->revision & VMCS_SHADOW_INDICATOR)) {
		vmx_set_fail_invalid(cpu);
		return;
	}
	launched = vmx->vmcs->launch_state == VMCS_STATE_LAUNCHED;
	if (cpu->mov_ss_shadow)
		fail(cpu, VMX_ERROR_ENTRY_BLOCKED_BY_MOV_SS);
	else if (launch && launched)
		fail(cpu, VMX_ERROR_VMLAUNCH_NOT_CLEAR);
	else if (!launch && !launched)
		fail(cpu, VMX_ERROR_VMRESUME_NOT_LAUNCHED);
	else
		vmx_enter(cpu, launch);
}

void insn_vmlaunch(struct cpu *cpu, const struct op *op)
{
	launch_or_resume(cpu, op, true);
}

void insn_vmresume(struct cpu *cpu, const struct op *op)
{
	launch_or_resume(cpu, op, false);
}
