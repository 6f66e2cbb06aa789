/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The handlers of exits.def, short ones all: what L1's instruction would have done on the machine.
 */
#include "l0/hv/ept01.h"
#include "l0/hv/exit.h"
#include "l0/hv/hw.h"
#include "l0/hv/watch.h"

static uint64_t gpr_read(const struct vcpu *vcpu, unsigned gpr)
{
	return gpr == REG_RSP ? hw_vmread(VMCS_GUEST_RSP) : vcpu->regs.gpr[gpr];
}

static void gpr_write(struct vcpu *vcpu, unsigned gpr, uint64_t value)
{
	if (gpr == REG_RSP)
		hw_vmwrite(VMCS_GUEST_RSP, value);
	else
		vcpu->regs.gpr[gpr] = value;
}

/* EDX:EAX, as RDMSR, WRMSR and XSETBV use them. */
static uint64_t edx_eax(const struct vcpu *vcpu)
{
	return vcpu->regs.gpr[REG_RDX] << 32 | (uint32_t)vcpu->regs.gpr[REG_RAX];
}

static unsigned guest_cpl(void)
{
	return (unsigned)(hw_vmread(VMCS_GUEST_SS_ACCESS_RIGHTS) >> AR_DPL_SHIFT) & 3;
}

enum exit_next handle_rdmsr(struct vcpu *vcpu)
{
	uint64_t value;

	if (!msr_read(vcpu, (uint32_t)vcpu->regs.gpr[REG_RCX], &value))
		return EXIT_NEXT_GP;
	vcpu->regs.gpr[REG_RAX] = (uint32_t)value;
	vcpu->regs.gpr[REG_RDX] = value >> 32;
	return EXIT_NEXT_SKIP;
}

enum exit_next handle_wrmsr(struct vcpu *vcpu)
{
	return msr_write(vcpu, (uint32_t)vcpu->regs.gpr[REG_RCX], edx_eax(vcpu)) ? EXIT_NEXT_SKIP
										  : EXIT_NEXT_GP;
}

enum exit_next handle_xsetbv(struct vcpu *vcpu)
{
	if (guest_cpl() || !mpx_allows_xcr0(edx_eax(vcpu)) ||
	    !hw_try_xsetbv((uint32_t)vcpu->regs.gpr[REG_RCX], edx_eax(vcpu)))
		return EXIT_NEXT_GP;
	return EXIT_NEXT_SKIP;
}

/* INVD exits always; a coherent machine may write back at any time, so it may here. */
enum exit_next handle_invd(struct vcpu *vcpu)
{
	hw_wbinvd();
	return EXIT_NEXT_SKIP;
}

enum exit_next handle_undefined(struct vcpu *vcpu)
{
	return EXIT_NEXT_UD;
}

/* The one hypercall, for measuring: RAX becomes this hypervisor's level. In VMX root operation
 * VMCALL is the architecture's own and fails (SDM 3C "VMCALL-Call to VM Monitor"). */
enum exit_next handle_vmcall(struct vcpu *vcpu)
{
	if (vcpu->shadow.vmx_on)
		return handle_vmx_insn(vcpu);
	if (guest_cpl())
		return EXIT_NEXT_UD;
	vcpu->regs.gpr[REG_RAX] = hv.machine.level;
	return EXIT_NEXT_SKIP;
}

static bool cr_write(struct vcpu *vcpu, unsigned cr, uint64_t value)
{
	switch (cr) {
	case 0:
		return cr0_write(vcpu, value);
	case 3:
		return cr3_write(vcpu, value);
	case 4:
		return cr4_write(vcpu, value);
	default:
		hv_end_guest(vcpu, "a control-register exit that nothing asked for");
	}
}

/* LMSW sets PE to TS (bits 3:0) and can't clear PE. */
static uint64_t lmsw_value(const struct vcpu *vcpu)
{
	uint64_t low = CR0_PE | CR0_MP | CR0_EM | CR0_TS, old = cr0_read(vcpu);

	return (old & ~(low & ~CR0_PE)) | (vcpu->exit.qualification >> 16 & low);
}

enum exit_next handle_cr_access(struct vcpu *vcpu)
{
	uint64_t qualification = vcpu->exit.qualification;
	unsigned cr = qualification & 15, gpr = qualification >> 8 & 15;
	bool good = true;

	switch ((enum cr_access_type)(qualification >> 4 & 3)) {
	case CR_ACCESS_MOV_TO:
		good = cr_write(vcpu, cr, gpr_read(vcpu, gpr));
		break;
	case CR_ACCESS_MOV_FROM: /* CR3 only */
		gpr_write(vcpu, gpr, cr3_read(vcpu));
		break;
	case CR_ACCESS_CLTS:
		good = cr0_write(vcpu, cr0_read(vcpu) & ~CR0_TS);
		break;
	case CR_ACCESS_LMSW:
		good = cr0_write(vcpu, lmsw_value(vcpu));
		break;
	}
	return good ? EXIT_NEXT_SKIP : EXIT_NEXT_GP;
}

/* SDM 3C "Exit Qualification for EPT Violations", bit 12: an IRET had unblocked NMIs and is
 * executed again; until then they are blocked. */
static void undo_nmi_unblocking(const struct vcpu *vcpu)
{
	if (vcpu->exit.qualification & EPT_QUAL_NMI_UNBLOCKING &&
	    !(hw_vmread(VMCS_IDT_VECTORING_INFO) & INTR_INFO_VALID))
		hw_vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE,
			   hw_vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) |
				   INTERRUPTIBILITY_NMI);
}

enum exit_next handle_ept_violation(struct vcpu *vcpu)
{
	bool in_l2 = vcpu->shadow.in_l2;
	struct l1_gpa gpa = in_l2 ? vcpu->shadow.fault_gpa
				  : (struct l1_gpa){hw_vmread(VMCS_GUEST_PHYSICAL_ADDRESS)};

	if (!range_find(gpa))
		hv_end_guest(vcpu, "it touched memory that is not its own");
	if (watch_end(gpa))
		shadow_page_written(&vcpu->shadow, (struct l1_gpa){PAGE_BASE(gpa.value)});
	else if (!ept01_fill(gpa))
		hv_end_guest(vcpu, "no memory is left for its page tables");
	undo_nmi_unblocking(vcpu);
	if (!in_l2)
		shadow_l2_absorbed(&vcpu->shadow);
	return EXIT_NEXT_RESUME;
}

enum exit_next handle_triple_fault(struct vcpu *vcpu)
{
	hv_end_guest(vcpu, "triple fault");
}
