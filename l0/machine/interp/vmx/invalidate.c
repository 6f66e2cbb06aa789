/* SPDX-License-Identifier: BSD-2-Clause
 *
 * INVEPT and INVVPID. What they flush is the MMU's business; here are their operand checks, SDM 3C
 * "INVEPT - Invalidate Translations Derived from EPT" and "INVVPID - ... Based on VPID".
 */
#include "l0/machine/interp/vmx/vmx.h"

#include "l0/machine/interp/canonical.h"
#include "l0/machine/interp/vmx/private.h"

struct descriptor {
	uint64_t low, high;
};

static uint64_t begin(struct cpu *cpu, const struct op *op, enum vmx_exit_reason reason,
		      enum vmx_feature feature)
{
	if (!vmx_feature(cpu, feature))
		cpu_fault(cpu, VECTOR_UD);
	vmx_require_operation(cpu);
	if (cpu->vmx->nonroot)
		vmx_exit(cpu, reason, vmx_displacement(cpu, op));
	if (cpu->cpl > 0)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	return reg_read(cpu, op, op->reg, cpu_code64(cpu) ? 8 : 4);
}

static struct descriptor read_descriptor(struct cpu *cpu, const struct op *op)
{
	uint64_t linear = vmx_operand_linear(cpu, op, 16, MEM_READ);
	struct descriptor descriptor;

	descriptor.low = lin_read(cpu, linear, 8, MEM_READ);
	descriptor.high = lin_read(cpu, linear + 8, 8, MEM_READ);
	return descriptor;
}

static void finish(struct cpu *cpu, bool valid)
{
	if (valid)
		vmx_set_succeed(cpu);
	else
		vmx_set_fail(cpu, cpu->vmx->vmcs, VMX_ERROR_INVALID_OPERAND);
}

void insn_invept(struct cpu *cpu, const struct op *op)
{
	uint64_t type = begin(cpu, op, EXIT_REASON_INVEPT, VMX_FEATURE_INVEPT);
	struct descriptor descriptor;
	bool valid;

	if (type != INVEPT_SINGLE && type != INVEPT_GLOBAL) {
		finish(cpu, false);
		return;
	}
	descriptor = read_descriptor(cpu, op);
	valid = !descriptor.high && (type == INVEPT_GLOBAL ||
				     vmx_caps_eptp_valid(cpu->vmx->caps, descriptor.low));
	if (valid)
		mmu_invept(cpu, type == INVEPT_GLOBAL ? UINT64_MAX : descriptor.low);
	finish(cpu, valid);
}

void insn_invvpid(struct cpu *cpu, const struct op *op)
{
	uint64_t type = begin(cpu, op, EXIT_REASON_INVVPID, VMX_FEATURE_INVVPID);
	struct descriptor descriptor;
	bool valid;

	if (type > INVVPID_SINGLE_NONGLOBAL) {
		finish(cpu, false);
		return;
	}
	descriptor = read_descriptor(cpu, op);
	valid = !(descriptor.low >> 16) && (type == INVVPID_ALL || descriptor.low) &&
		(type != INVVPID_ADDRESS || cpu_canonical_register(cpu, descriptor.high));
	if (valid)
		mmu_invvpid(cpu, (unsigned)type, (uint16_t)descriptor.low, descriptor.high);
	finish(cpu, valid);
}
