/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The guest-state area: loaded at VM entry, saved at VM exit. SDM 3C "Loading Guest State" and
 * "Saving Guest State". The controls are in cpu->vmx already; nothing is checked here but PDPTEs.
 */
#include "l0/machine/interp/pt/pt.h"
#include "l0/machine/interp/vmx/private.h"

/* SDM 3C "Loading Guest Control Registers, Debug Registers, and MSRs": CR0.ET, CD, NW and the
 * reserved bits keep their values. */
#define CR0_KEPT UINT64_C(0x7ffaffd0)

/* ---- entry ---- */

static void load_segments(struct cpu *cpu, const struct vmcs *vmcs)
{
	for (int i = 0; i < SEG_COUNT; i++) {
		struct segment *segment = &cpu->seg[i];

		segment->selector = (uint16_t)vmcs_get_seg(vmcs, SELECTOR, i);
		segment->base = vmcs_get_seg(vmcs, BASE, i);
		segment->limit = (uint32_t)vmcs_get_seg(vmcs, LIMIT, i);
		segment->ar = (uint32_t)vmcs_get_seg(vmcs, ACCESS_RIGHTS, i);
	}
	cpu->cpl = (uint8_t)((cpu->seg[SEG_SS].ar & AR_DPL) >> AR_DPL_SHIFT);
	cpu->gdtr.base = vmcs_get(vmcs, GUEST_GDTR_BASE);
	cpu->gdtr.limit = (uint16_t)vmcs_get(vmcs, GUEST_GDTR_LIMIT);
	cpu->idtr.base = vmcs_get(vmcs, GUEST_IDTR_BASE);
	cpu->idtr.limit = (uint16_t)vmcs_get(vmcs, GUEST_IDTR_LIMIT);
}

/* Without "load IA32_EFER", LMA follows the "IA-32e mode guest" control, and so does LME if paging
 * is on; the other bits stay the host's. */
static uint64_t guest_efer(const struct cpu *cpu, const struct vmcs *vmcs)
{
	uint64_t efer = cpu->efer;

	if (cpu->vmx->entry_controls & ENTRY_LOAD_EFER)
		return vmcs_get(vmcs, GUEST_IA32_EFER);
	efer &= ~EFER_LMA;
	if (cpu->cr0 & CR0_PG)
		efer &= ~EFER_LME;
	if (cpu->vmx->entry_controls & ENTRY_IA32E_MODE_GUEST)
		efer |= EFER_LMA | EFER_LME;
	return efer;
}

static void load_msrs(struct cpu *cpu, const struct vmcs *vmcs)
{
	uint32_t entry = cpu->vmx->entry_controls;

	cpu->msrs.sysenter_cs = vmcs_get(vmcs, GUEST_IA32_SYSENTER_CS);
	cpu->msrs.sysenter_esp = vmcs_get(vmcs, GUEST_IA32_SYSENTER_ESP);
	cpu->msrs.sysenter_eip = vmcs_get(vmcs, GUEST_IA32_SYSENTER_EIP);
	if (entry & ENTRY_LOAD_DEBUG_CONTROLS) {
		cpu->dr7 = (uint32_t)vmcs_get(vmcs, GUEST_DR7);
		cpu->dr7 = (cpu->dr7 & ~(BIT64(12) | BIT64(14) | BIT64(15))) | DR7_FIXED1;
		cpu->msrs.debugctl =
			vmcs_get(vmcs, GUEST_IA32_DEBUGCTL) & cpu->vmx->caps->debugctl_valid;
	}
	if (entry & ENTRY_LOAD_PAT)
		cpu->msrs.pat = vmcs_get(vmcs, GUEST_IA32_PAT);
	if (entry & ENTRY_LOAD_BNDCFGS)
		cpu->msrs.bndcfgs = vmcs_get(vmcs, GUEST_IA32_BNDCFGS);
	if (entry & ENTRY_LOAD_PKRS)
		(void)cpu_wrmsr(cpu, MSR_IA32_PKRS, vmcs_get(vmcs, GUEST_IA32_PKRS));
	if (entry & ENTRY_LOAD_CET) {
		cpu->cet.s_cet = vmcs_get(vmcs, GUEST_IA32_S_CET);
		cpu->cet.ssp = vmcs_get(vmcs, GUEST_SSP);
		cpu->cet.ssp_table = vmcs_get(vmcs, GUEST_INTERRUPT_SSP_TABLE_ADDR);
	}
	if (entry & ENTRY_LOAD_RTIT_CTL)
		pt_load_ctl(cpu, vmcs_get(vmcs, GUEST_IA32_RTIT_CTL));
	if (entry & ENTRY_LOAD_PERF_GLOBAL_CTRL)
		(void)cpu_wrmsr(cpu, MSR_IA32_PERF_GLOBAL_CTRL,
				vmcs_get(vmcs, GUEST_IA32_PERF_GLOBAL_CTRL));
}

/* SDM 3C "Loading Page-Directory-Pointer-Table Entries" */
static bool load_pdptes(struct cpu *cpu, const struct vmcs *vmcs)
{
	if (!(cpu->cr0 & CR0_PG) || !(cpu->cr4 & CR4_PAE) || cpu_long_mode(cpu))
		return true;
	if (!cpu->vmx->eptp)
		return mmu_load_pdptes(cpu, cpu->cr3);
	for (int i = 0; i < 4; i++)
		cpu->pdpte[i] = vmcs->field[VMCS_INDEX_GUEST_PDPTE0 + i];
	return true;
}

/* SDM 3C "Guest Non-Register State": activity, interruptibility, pending debug exceptions. */
static void load_non_register_state(struct cpu *cpu, const struct vmcs *vmcs)
{
	uint32_t blocking = (uint32_t)vmcs_get(vmcs, GUEST_INTERRUPTIBILITY_STATE);
	uint64_t pending = vmcs_get(vmcs, GUEST_PENDING_DEBUG_EXCEPTIONS);
	bool nmi = blocking & INTERRUPTIBILITY_NMI;

	cpu->activity = (enum vmx_activity)vmcs_get(vmcs, GUEST_ACTIVITY_STATE);
	cpu->wait = WAIT_HLT;
	cpu->sti_shadow = blocking & INTERRUPTIBILITY_STI;
	cpu->mov_ss_shadow = blocking & INTERRUPTIBILITY_MOV_SS;
	/* With virtual NMIs the bit is about those, and NMIs themselves are never blocked. */
	cpu->vmx->virtual_nmi_blocked = nmi && vmx_pin(cpu, PIN_VIRTUAL_NMIS);
	cpu->nmi_blocked = nmi && !vmx_pin(cpu, PIN_VIRTUAL_NMIS);
	cpu->pending_debug = pending & PENDING_DEBUG_SAVED;
	cpu->delivering.valid = false;
}

bool vmx_load_guest_state(struct cpu *cpu)
{
	const struct vmcs *vmcs = cpu->vmx->vmcs;

	cpu->cr0 = (cpu->cr0 & CR0_KEPT) | (vmcs_get(vmcs, GUEST_CR0) & ~CR0_KEPT);
	cpu->cr3 = vmcs_get(vmcs, GUEST_CR3);
	cpu->cr4 = vmcs_get(vmcs, GUEST_CR4);
	cpu->efer = guest_efer(cpu, vmcs);
	load_segments(cpu, vmcs);
	load_msrs(cpu, vmcs);
	cpu->gpr[REG_RSP] = vmcs_get(vmcs, GUEST_RSP);
	cpu_set_rflags(cpu, vmcs_get(vmcs, GUEST_RFLAGS));
	load_non_register_state(cpu, vmcs);
	return load_pdptes(cpu, vmcs);
}

/* ---- exit ---- */

static void save_segments(const struct cpu *cpu, struct vmcs *vmcs)
{
	for (int i = 0; i < SEG_COUNT; i++) {
		const struct segment *segment = &cpu->seg[i];

		vmcs_set_seg(vmcs, SELECTOR, i, segment->selector);
		vmcs_set_seg(vmcs, BASE, i, segment->base);
		vmcs_set_seg(vmcs, LIMIT, i, segment->limit);
		vmcs_set_seg(vmcs, ACCESS_RIGHTS, i, segment->ar);
	}
	vmcs_set(vmcs, GUEST_GDTR_BASE, cpu->gdtr.base);
	vmcs_set(vmcs, GUEST_GDTR_LIMIT, cpu->gdtr.limit);
	vmcs_set(vmcs, GUEST_IDTR_BASE, cpu->idtr.base);
	vmcs_set(vmcs, GUEST_IDTR_LIMIT, cpu->idtr.limit);
}

static void save_msrs(struct cpu *cpu, struct vmcs *vmcs)
{
	uint32_t controls = cpu->vmx->exit_controls;

	vmcs_set(vmcs, GUEST_IA32_SYSENTER_CS, (uint32_t)cpu->msrs.sysenter_cs);
	vmcs_set(vmcs, GUEST_IA32_SYSENTER_ESP, cpu->msrs.sysenter_esp);
	vmcs_set(vmcs, GUEST_IA32_SYSENTER_EIP, cpu->msrs.sysenter_eip);
	if (controls & EXIT_SAVE_DEBUG_CONTROLS) {
		vmcs_set(vmcs, GUEST_DR7, cpu->dr7);
		vmcs_set(vmcs, GUEST_IA32_DEBUGCTL, cpu->msrs.debugctl);
	}
	if (controls & EXIT_SAVE_PAT)
		vmcs_set(vmcs, GUEST_IA32_PAT, cpu->msrs.pat);
	if (controls & EXIT_SAVE_EFER)
		vmcs_set(vmcs, GUEST_IA32_EFER, cpu->efer);
	if (vmx_feature(cpu, VMX_FEATURE_BNDCFGS))
		vmcs_set(vmcs, GUEST_IA32_BNDCFGS, cpu->msrs.bndcfgs);
	if (vmx_feature(cpu, VMX_FEATURE_RTIT_CTL))
		vmcs_set(vmcs, GUEST_IA32_RTIT_CTL, cpu->pt.msr.ctl);
	if (vmx_feature(cpu, VMX_FEATURE_PKRS))
		vmcs_set(vmcs, GUEST_IA32_PKRS, cpu->pkrs);
	if (vmx_feature(cpu, VMX_FEATURE_CET)) {
		vmcs_set(vmcs, GUEST_IA32_S_CET, cpu->cet.s_cet);
		vmcs_set(vmcs, GUEST_SSP, cpu->cet.ssp);
		vmcs_set(vmcs, GUEST_INTERRUPT_SSP_TABLE_ADDR, cpu->cet.ssp_table);
	}
	/* SDM 3D "Miscellaneous Data": VM exits record EFER.LMA in the entry control. */
	if (vmx_feature(cpu, VMX_FEATURE_STORE_LMA)) {
		uint64_t entry = vmcs_get(vmcs, ENTRY_CONTROLS) & ~(uint64_t)ENTRY_IA32E_MODE_GUEST;

		vmcs_set(vmcs, ENTRY_CONTROLS,
			 entry | (cpu_long_mode(cpu) ? ENTRY_IA32E_MODE_GUEST : 0));
	}
}

static uint32_t interruptibility(const struct cpu *cpu)
{
	bool nmi =
		vmx_pin(cpu, PIN_VIRTUAL_NMIS) ? cpu->vmx->virtual_nmi_blocked : cpu->nmi_blocked;

	return (cpu_sti_blocking(cpu) ? INTERRUPTIBILITY_STI : 0) |
	       (cpu->mov_ss_shadow ? INTERRUPTIBILITY_MOV_SS : 0) |
	       (nmi ? INTERRUPTIBILITY_NMI : 0);
}

/* SDM 3C "Guest Non-Register State": MWAIT may make the processor inactive, but "this VMCS field
 * never reflects this state". */
static enum vmx_activity visible_activity(const struct cpu *cpu)
{
	if (cpu->activity == ACTIVITY_HLT && cpu->wait != WAIT_HLT)
		return ACTIVITY_ACTIVE;
	return cpu->activity;
}

void vmx_save_guest_state(struct cpu *cpu)
{
	struct vmcs *vmcs = cpu->vmx->vmcs;

	vmcs_set(vmcs, GUEST_CR0, cpu->cr0);
	vmcs_set(vmcs, GUEST_CR3, cpu->cr3);
	vmcs_set(vmcs, GUEST_CR4, cpu->cr4);
	save_segments(cpu, vmcs);
	save_msrs(cpu, vmcs);
	vmcs_set(vmcs, GUEST_RSP, cpu->gpr[REG_RSP]);
	vmcs_set(vmcs, GUEST_RIP, cpu_rip(cpu));
	vmcs_set(vmcs, GUEST_ACTIVITY_STATE, visible_activity(cpu));
	vmcs_set(vmcs, GUEST_INTERRUPTIBILITY_STATE, interruptibility(cpu));
	if (cpu->vmx->eptp)
		for (int i = 0; i < 4; i++)
			vmcs->field[VMCS_INDEX_GUEST_PDPTE0 + i] = cpu->pdpte[i];
	if (cpu->vmx->exit_controls & EXIT_SAVE_PREEMPTION_TIMER)
		vmcs_set(vmcs, PREEMPTION_TIMER_VALUE, vmx_timer_value(cpu));
}
