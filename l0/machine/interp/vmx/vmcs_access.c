/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMREAD and VMWRITE: on the current VMCS in root operation, on the VMCS that the link pointer
 * references in non-root operation (VMCS shadowing). A field is one slot of struct vmcs; width,
 * type and existence follow from its encoding and its row.
 */
#include "l0/machine/interp/vmx/vmx.h"

#include "l0/machine/interp/vmx/private.h"

/* Slot of a field that exists on this part, or -1. */
static int field_slot(const struct cpu *cpu, uint64_t encoding)
{
	int index = encoding >> 32 ? -1 : vmcs_field_index((uint32_t)encoding);

	if (index < 0 || !vmx_feature(cpu, (enum vmx_feature)vmcs_fields[index].exists))
		return -1;
	return index;
}

static uint64_t width_mask(enum vmcs_width width)
{
	switch (width) {
	case VMCS_WIDTH_16:
		return 0xffff;
	case VMCS_WIDTH_32:
		return UINT32_MAX;
	default:
		return UINT64_MAX;
	}
}

bool vmx_vmcs_read(const struct cpu *cpu, const struct vmcs *vmcs, uint64_t encoding,
		   uint64_t *value)
{
	int index = field_slot(cpu, encoding);

	if (index < 0)
		return false;
	*value = vmcs->field[index];
	if (vmcs_field_is_high((uint32_t)encoding))
		*value >>= 32;
	return true;
}

/* A full access from outside IA-32e mode clears what lies beyond the operand, a high access keeps
 * bits 31:0; SDM 3C "VMWRITE - Write Field to Virtual-Machine Control Structure". */
static void write_slot(struct vmcs *vmcs, int index, uint32_t encoding, uint64_t value)
{
	uint64_t *slot = &vmcs->field[index];

	if (vmcs_field_is_high(encoding))
		*slot = (*slot & UINT32_MAX) | value << 32;
	else
		*slot = value & width_mask(vmcs_field_width(encoding));
}

/* ---- VMCS shadowing: SDM 3C "Changes to Instruction Behavior in VMX Non-Root Operation" ---- */

static bool bitmap_exits(struct cpu *cpu, uint64_t bitmap, uint64_t encoding)
{
	return phys_read(cpu, bitmap + (encoding >> 3 & 0xfff), 1) >> (encoding & 7) & 1;
}

/* In non-root operation: exits unless the bitmap lets the access through to the shadow VMCS. */
static void intercept(struct cpu *cpu, const struct op *op, enum vmx_exit_reason reason,
		      uint64_t encoding)
{
	const struct vmcs *vmcs = cpu->vmx->vmcs;
	uint64_t bitmap = reason == EXIT_REASON_VMREAD ? vmcs_get(vmcs, VMREAD_BITMAP) :
							 vmcs_get(vmcs, VMWRITE_BITMAP);

	if (!vmx_secondary(cpu, SECONDARY_VMCS_SHADOWING) || encoding >> 15 ||
	    bitmap_exits(cpu, bitmap, encoding))
		vmx_exit(cpu, reason, vmx_displacement(cpu, op));
}

/* The VMCS that VMREAD and VMWRITE work on; NULL: VMfailInvalid. */
static struct vmcs *target(struct cpu *cpu)
{
	if (!cpu->vmx->nonroot)
		return cpu->vmx->vmcs;
	/* All ones, and whatever else is not RAM, gives NULL. VM entry has checked the revision. */
	return vmx_vmcs_at(cpu, vmcs_get(cpu->vmx->vmcs, VMCS_LINK_POINTER));
}

static unsigned operand_size(const struct cpu *cpu)
{
	return cpu_code64(cpu) ? 8 : 4;
}

/* A failure's number goes into the current VMCS, in non-root operation too: the guest, whose VMCS
 * is the shadow one, does not see it there. Silicon does so.
 *
 * Common start: mode, exit, privilege. Gives the field's encoding and the VMCS. */
static struct vmcs *begin(struct cpu *cpu, const struct op *op, enum vmx_exit_reason reason,
			  uint64_t *encoding)
{
	vmx_require_operation(cpu);
	*encoding = reg_read(cpu, op, op->reg, operand_size(cpu));
	if (cpu->vmx->nonroot)
		intercept(cpu, op, reason, *encoding);
	if (cpu->cpl > 0)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	return target(cpu);
}

void insn_vmread(struct cpu *cpu, const struct op *op)
{
	uint64_t encoding, value;
	struct vmcs *vmcs = begin(cpu, op, EXIT_REASON_VMREAD, &encoding);

	if (!vmcs) {
		vmx_set_fail_invalid(cpu);
		return;
	}
	if (!vmx_vmcs_read(cpu, vmcs, encoding, &value)) {
		vmx_set_fail(cpu, cpu->vmx->vmcs, VMX_ERROR_UNSUPPORTED_FIELD);
		return;
	}
	op_write_rm(cpu, op, operand_size(cpu), value);
	vmx_set_succeed(cpu);
}

void insn_vmwrite(struct cpu *cpu, const struct op *op)
{
	uint64_t encoding, value;
	struct vmcs *vmcs = begin(cpu, op, EXIT_REASON_VMWRITE, &encoding);
	enum vmcs_type type = vmcs_field_type((uint32_t)encoding);
	int index;

	if (!vmcs) {
		vmx_set_fail_invalid(cpu);
		return;
	}
	value = op_read_rm(cpu, op, operand_size(cpu));
	index = field_slot(cpu, encoding);
	if (index < 0) {
		vmx_set_fail(cpu, cpu->vmx->vmcs, VMX_ERROR_UNSUPPORTED_FIELD);
		return;
	}
	if (type == VMCS_TYPE_READ_ONLY && !vmx_feature(cpu, VMX_FEATURE_VMWRITE_ANY_FIELD)) {
		vmx_set_fail(cpu, cpu->vmx->vmcs, VMX_ERROR_READ_ONLY_FIELD);
		return;
	}
	write_slot(vmcs, index, (uint32_t)encoding, value);
	vmx_set_succeed(cpu);
}
