/* SPDX-License-Identifier: BSD-2-Clause
 *
 * INIT of L1's CPU, which is the bootstrap processor and so goes on at the reset vector. What INIT
 * leaves alone (memory, MSRs but for IA32_EFER and IA32_BNDCFGS, extended state but for MPX) is not
 * touched.
 */
#include "l0/hv/exit.h"
#include "l0/hv/hw.h"

#define INIT_AR_DATA (AR_P | AR_S | AR_TYPE_WRITABLE | AR_TYPE_ACCESSED)
#define INIT_AR_CODE (AR_P | AR_S | AR_TYPE_CODE | AR_TYPE_READABLE | AR_TYPE_ACCESSED)

static const struct {
	enum vmcs_field field;
	uint64_t value;
} rows[] = {
#define INIT_FIELD(field, value) {VMCS_##field, (value)},
#include "l0/hv/init.def"
#undef INIT_FIELD
};

/* CR0, CR4 and EFER by the ways that L1 itself would have taken, in an order that is allowed:
 * paging goes off first, CR4 is free then. */
static void reset_modes(struct vcpu *vcpu)
{
	uint64_t cache = cr0_read(vcpu) & (CR0_CD | CR0_NW);

	if (hw_vmread(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST)
		hw_vmwrite(VMCS_GUEST_CS_ACCESS_RIGHTS, INIT_AR_CODE); /* out of 64-bit code */
	hw_vmwrite(VMCS_GUEST_CR4, hw_vmread(VMCS_GUEST_CR4) & ~CR4_PCIDE);
	if (!cr0_write(vcpu, cache | CR0_ET) || !cr4_write(vcpu, 0) || !efer_write(vcpu, 0))
		hv_panic("a CPU state after INIT that can't be");
}

static void reset(struct vcpu *vcpu)
{
	if (!machine_has(&hv.machine, VMX_FEATURE_UNRESTRICTED_GUEST))
		hv_end_guest(vcpu, "INIT, and this CPU's VMX can't run real mode");
	reset_modes(vcpu);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		hw_vmwrite(rows[i].field, rows[i].value);
	for (unsigned i = 0; i < REG_COUNT; i++)
		vcpu->regs.gpr[i] = 0;
	vcpu->regs.gpr[REG_RDX] = hw_cpuid(1, 0).eax; /* the CPU's signature */
	mpx_reset();
	hw_write_cr2(0);
	hw_clear_breakpoints();
}

/* SDM 3C "Restrictions on VMX Operation": blocked in VMX root operation, an exit in non-root. */
void guest_deliver_init(struct vcpu *vcpu)
{
	struct shadow_vcpu *shadow = &vcpu->shadow;

	if (shadow->in_l2 ? !shadow_l2_init(shadow) : shadow->vmx_on)
		return;
	vcpu->attention &= ~(uint32_t)HV_ATTENTION_INIT;
	if (shadow->dead)
		hv_end_guest(vcpu, shadow->dead);
	if (!shadow->vmx_on)
		reset(vcpu);
}

enum exit_next handle_init_signal(struct vcpu *vcpu)
{
	vcpu->attention |= HV_ATTENTION_INIT;
	return EXIT_NEXT_RESUME;
}
