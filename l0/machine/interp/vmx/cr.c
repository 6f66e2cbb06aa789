/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Control registers in non-root operation: guest/host masks, read shadows, CR3 targets, CR8. SDM 3C
 * "Changes to Instruction Behavior in VMX Non-Root Operation", MOV CR, CLTS, LMSW.
 */
#include "l0/machine/interp/vmx/vmx.h"

#include "l0/machine/interp/vmx/private.h"

#define LMSW_BITS (CR0_PE | CR0_MP | CR0_EM | CR0_TS)

static _Noreturn void cr_exit(struct cpu *cpu, unsigned cr, enum cr_access_type type, unsigned gpr)
{
	vmx_exit(cpu, EXIT_REASON_CR_ACCESS, cr | (uint64_t)type << 4 | (uint64_t)gpr << 8);
}

/* Guest/host mask and read shadow of CR0 or CR4. */
struct ownership {
	uint64_t mask, shadow;
};

static struct ownership ownership(const struct cpu *cpu, unsigned cr)
{
	const struct vmcs *vmcs = cpu->vmx->vmcs;

	if (cr == 0)
		return (struct ownership){vmcs_get(vmcs, CR0_GUEST_HOST_MASK),
					  vmcs_get(vmcs, CR0_READ_SHADOW)};
	return (struct ownership){vmcs_get(vmcs, CR4_GUEST_HOST_MASK),
				  vmcs_get(vmcs, CR4_READ_SHADOW)};
}

static uint64_t write_owned(struct cpu *cpu, unsigned cr, uint64_t value, unsigned gpr)
{
	struct ownership own = ownership(cpu, cr);
	uint64_t current = cr == 0 ? cpu->cr0 : cpu->cr4;

	if ((value ^ own.shadow) & own.mask)
		cr_exit(cpu, cr, CR_ACCESS_MOV_TO, gpr);
	return (value & ~own.mask) | (current & own.mask);
}

static bool is_cr3_target(const struct cpu *cpu, uint64_t value)
{
	const struct vmcs *vmcs = cpu->vmx->vmcs;
	uint64_t count = vmcs_get(vmcs, CR3_TARGET_COUNT);

	for (unsigned i = 0; i < count && i < 4; i++)
		if (vmcs->field[VMCS_INDEX_CR3_TARGET_VALUE0 + i] == value)
			return true;
	return false;
}

uint64_t vmx_mov_to_cr(struct cpu *cpu, unsigned cr, uint64_t value, unsigned gpr)
{
	if (!cpu->vmx->nonroot)
		return value;
	switch (cr) {
	case 0:
	case 4:
		return write_owned(cpu, cr, value, gpr);
	case 3:
		if (vmx_primary(cpu, PRIMARY_CR3_LOAD_EXITING) && !is_cr3_target(cpu, value))
			cr_exit(cpu, cr, CR_ACCESS_MOV_TO, gpr);
		return value;
	case 8:
		if (vmx_primary(cpu, PRIMARY_CR8_LOAD_EXITING))
			cr_exit(cpu, cr, CR_ACCESS_MOV_TO, gpr);
		return value;
	default:
		return value;
	}
}

uint64_t vmx_mov_from_cr(struct cpu *cpu, unsigned cr, uint64_t value, unsigned gpr)
{
	struct ownership own;

	if (!cpu->vmx->nonroot)
		return value;
	switch (cr) {
	case 0:
	case 4:
		own = ownership(cpu, cr);
		return (value & ~own.mask) | (own.shadow & own.mask);
	case 3:
		if (vmx_primary(cpu, PRIMARY_CR3_STORE_EXITING))
			cr_exit(cpu, cr, CR_ACCESS_MOV_FROM, gpr);
		return value;
	case 8:
		if (vmx_primary(cpu, PRIMARY_CR8_STORE_EXITING))
			cr_exit(cpu, cr, CR_ACCESS_MOV_FROM, gpr);
		return value;
	default:
		return value;
	}
}

void vmx_intercept_clts(struct cpu *cpu)
{
	struct ownership own;

	if (!cpu->vmx->nonroot)
		return;
	own = ownership(cpu, 0);
	if (own.mask & own.shadow & CR0_TS)
		cr_exit(cpu, 0, CR_ACCESS_CLTS, 0);
}

bool vmx_clts_effective(const struct cpu *cpu)
{
	return !cpu->vmx->nonroot || !(ownership(cpu, 0).mask & CR0_TS);
}

/* LMSW never clears PE, so only setting it can differ from the shadow. */
static bool lmsw_exits(struct ownership own, uint16_t source)
{
	uint64_t differs = (source ^ own.shadow) & own.mask;

	return (differs & (CR0_MP | CR0_EM | CR0_TS)) || (differs & source & CR0_PE);
}

uint64_t vmx_lmsw(struct cpu *cpu, uint16_t source, bool memory, uint64_t linear)
{
	uint64_t bits = LMSW_BITS;
	struct ownership own;

	if (cpu->vmx->nonroot) {
		own = ownership(cpu, 0);
		if (lmsw_exits(own, source)) {
			struct vmx_exit_info info = {
				.reason = EXIT_REASON_CR_ACCESS,
				.qualification = CR_ACCESS_LMSW << 4 | (memory ? BIT32(6) : 0) |
						 (uint32_t)source << 16,
				.has_linear = memory,
				.linear = linear,
			};

			vmx_exit_with(cpu, &info);
		}
		bits &= ~own.mask;
	}
	/* What PE was, it stays, if it was set. */
	return (cpu->cr0 & ~bits) | (source & bits) | (cpu->cr0 & CR0_PE);
}
