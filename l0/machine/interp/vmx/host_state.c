/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The host-state area, loaded at VM exit and after a failed VM entry. SDM 3C "Loading Host State".
 * The values were checked at VM entry; what cannot be loaded here is a VMX abort.
 */
#include "l0/machine/interp/pt/pt.h"
#include "l0/machine/interp/vmx/private.h"

/* CR0.ET, CD, NW, the reserved bits, and PE, NE, PG, which are fixed in VMX operation. */
#define CR0_KEPT UINT64_C(0xffffffff7ffaffd0)
#define CR0_FIXED (CR0_PE | CR0_NE | CR0_PG)

/* SDM 3C "Loading Host Segment and Descriptor-Table Registers" */
#define AR_HOST_DATA (UINT32_C(3) | AR_S | AR_P | AR_DB | AR_G)
#define AR_HOST_CODE (UINT32_C(11) | AR_S | AR_P | AR_G)
#define AR_HOST_TSS ((uint32_t)DESC_TSS_BUSY | AR_P)

static void load_control_registers(struct cpu *cpu, const struct vmcs *vmcs, bool host64)
{
	uint64_t width = cpu->vmx->caps->maxphyaddr;

	cpu->cr0 = (cpu->cr0 & CR0_KEPT) | (vmcs_get(vmcs, HOST_CR0) & ~CR0_KEPT) | CR0_FIXED;
	cpu->cr3 = vmcs_get(vmcs, HOST_CR3) &
		   ((BIT64(width) - 1) | CR3_LAM_U48 | CR3_LAM_U57);
	cpu->cr4 = vmcs_get(vmcs, HOST_CR4) | CR4_VMXE;
	if (host64)
		cpu->cr4 |= CR4_PAE;
	else
		cpu->cr4 &= ~CR4_PCIDE;
}

static void load_msrs(struct cpu *cpu, const struct vmcs *vmcs, bool host64)
{
	uint32_t controls = (uint32_t)vmcs_get(vmcs, EXIT_CONTROLS);

	cpu->dr7 = DR7_FIXED1;
	cpu->msrs.debugctl = 0;
	cpu->msrs.sysenter_cs = (uint32_t)vmcs_get(vmcs, HOST_IA32_SYSENTER_CS);
	cpu->msrs.sysenter_esp = vmcs_get(vmcs, HOST_IA32_SYSENTER_ESP);
	cpu->msrs.sysenter_eip = vmcs_get(vmcs, HOST_IA32_SYSENTER_EIP);
	cpu->efer = (cpu->efer & ~(EFER_LMA | EFER_LME)) | (host64 ? EFER_LMA | EFER_LME : 0);
	if (controls & EXIT_LOAD_EFER)
		cpu->efer = vmcs_get(vmcs, HOST_IA32_EFER);
	if (controls & EXIT_LOAD_PAT)
		cpu->msrs.pat = vmcs_get(vmcs, HOST_IA32_PAT);
	if (controls & EXIT_CLEAR_RTIT_CTL) {
		(void)pt_disable(cpu);
		cpu->pt.msr.ctl = 0;
	}
	if (controls & EXIT_CLEAR_BNDCFGS)
		cpu->msrs.bndcfgs = 0;
	if (controls & EXIT_LOAD_PKRS)
		(void)cpu_wrmsr(cpu, MSR_IA32_PKRS, vmcs_get(vmcs, HOST_IA32_PKRS));
	if (controls & EXIT_LOAD_CET) {
		cpu->cet.s_cet = vmcs_get(vmcs, HOST_IA32_S_CET);
		cpu->cet.ssp = vmcs_get(vmcs, HOST_SSP);
		cpu->cet.ssp_table = vmcs_get(vmcs, HOST_INTERRUPT_SSP_TABLE_ADDR);
	}
	if (controls & EXIT_LOAD_PERF_GLOBAL_CTRL)
		(void)cpu_wrmsr(cpu, MSR_IA32_PERF_GLOBAL_CTRL,
				vmcs_get(vmcs, HOST_IA32_PERF_GLOBAL_CTRL));
}

static void load_segment(struct segment *segment, uint64_t selector, uint64_t base, uint32_t ar)
{
	segment->selector = (uint16_t)selector;
	segment->base = base;
	segment->limit = UINT32_MAX;
	segment->ar = ar;
}

/* A data segment register with a null selector is unusable. */
static void load_data_segment(struct segment *segment, uint64_t selector, uint64_t base)
{
	load_segment(segment, selector, base, selector ? AR_HOST_DATA : AR_UNUSABLE);
}

static void load_segments(struct cpu *cpu, const struct vmcs *vmcs, bool host64)
{
	load_segment(&cpu->seg[SEG_CS], vmcs_get(vmcs, HOST_CS_SELECTOR), 0,
		     AR_HOST_CODE | (host64 ? AR_L : AR_DB));
	load_data_segment(&cpu->seg[SEG_SS], vmcs_get(vmcs, HOST_SS_SELECTOR), 0);
	load_data_segment(&cpu->seg[SEG_DS], vmcs_get(vmcs, HOST_DS_SELECTOR), 0);
	load_data_segment(&cpu->seg[SEG_ES], vmcs_get(vmcs, HOST_ES_SELECTOR), 0);
	load_data_segment(&cpu->seg[SEG_FS], vmcs_get(vmcs, HOST_FS_SELECTOR),
			  vmcs_get(vmcs, HOST_FS_BASE));
	load_data_segment(&cpu->seg[SEG_GS], vmcs_get(vmcs, HOST_GS_SELECTOR),
			  vmcs_get(vmcs, HOST_GS_BASE));
	load_segment(&cpu->seg[SEG_TR], vmcs_get(vmcs, HOST_TR_SELECTOR),
		     vmcs_get(vmcs, HOST_TR_BASE), AR_HOST_TSS);
	cpu->seg[SEG_TR].limit = 0x67;
	load_segment(&cpu->seg[SEG_LDTR], 0, 0, AR_UNUSABLE);
	cpu->cpl = 0;
	cpu->gdtr.base = vmcs_get(vmcs, HOST_GDTR_BASE);
	cpu->idtr.base = vmcs_get(vmcs, HOST_IDTR_BASE);
	cpu->gdtr.limit = cpu->idtr.limit = UINT16_MAX;
}

/* SDM 3C "Updating Non-Register State" */
static void load_non_register_state(struct cpu *cpu)
{
	cpu->activity = ACTIVITY_ACTIVE;
	cpu->sti_shadow = cpu->mov_ss_shadow = false;
	cpu->pending_debug = 0;
	cpu->event.valid = cpu->delivering.valid = false;
	cpu->attention = true;
}

static void leave_nonroot(struct cpu *cpu)
{
	struct vmx_state *vmx = cpu->vmx;

	vmx_leave_nonroot(vmx);
	/* SDM 3C "Invalidating Cached Translation Information": without VPIDs, those of VPID 0. */
	if (!vmx->vpid)
		mmu_invvpid(cpu, INVVPID_SINGLE, 0, 0);
	vmx->vpid = 0;
}

/* SDM 3C "VMX Aborts": the indicator goes into the VMCS region, the processor shuts down. */
void vmx_abort(struct cpu *cpu, enum vmx_abort code)
{
	cpu->vmx->vmcs->abort = code;
	cpu->activity = ACTIVITY_SHUTDOWN;
	cpu->next_rip = cpu_rip(cpu);
	machine_stop(cpu->machine, STOP_VMX_ABORT, code);
}

void vmx_load_host_state(struct cpu *cpu)
{
	const struct vmcs *vmcs = cpu->vmx->vmcs;
	bool host64 = vmcs_get(vmcs, EXIT_CONTROLS) & EXIT_HOST_ADDRESS_SPACE_SIZE;

	leave_nonroot(cpu);
	load_control_registers(cpu, vmcs, host64);
	load_msrs(cpu, vmcs, host64);
	load_segments(cpu, vmcs, host64);
	load_non_register_state(cpu);
	cpu->gpr[REG_RSP] = vmcs_get(vmcs, HOST_RSP);
	cpu->next_rip = vmcs_get(vmcs, HOST_RIP);
	cpu_set_rflags(cpu, RFLAGS_FIXED1);
	if ((cpu->cr4 & CR4_PAE) && !cpu_long_mode(cpu) && !mmu_load_pdptes(cpu, cpu->cr3)) {
		vmx_abort(cpu, VMX_ABORT_HOST_PDPTE);
		return;
	}
	cpu_mode_changed(cpu);
	if (vmx_load_msrs(cpu, vmcs_get(vmcs, EXIT_MSR_LOAD_ADDRESS),
			  (uint32_t)vmcs_get(vmcs, EXIT_MSR_LOAD_COUNT)))
		vmx_abort(cpu, VMX_ABORT_LOAD_HOST_MSR);
}
