/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VM entry: the checks, the controls, the commit, and what happens when it fails. SDM 3C "VM
 * Entries". The checks themselves are rows of shadow/checks; nothing is checked here.
 */
#include "l0/machine/interp/vmx/vmx.h"

#include "l0/machine/hang.h"
#include "l0/machine/interp/cost.h"
#include "l0/machine/interp/perf.h"
#include "l0/machine/interp/pt/pt.h"
#include "l0/machine/interp/vmx/private.h"

/* ---- the checks' view of memory ---- */

static bool read_phys32(void *opaque, uint64_t address, uint32_t *value)
{
	struct cpu *cpu = opaque;

	if (!memory_at(&cpu->machine->memory, address))
		return false;
	*value = (uint32_t)phys_read(cpu, address, 4);
	return true;
}

/* PDPTEs in memory matter only without EPT, where guest-physical is physical. */
static bool read_guest64(void *opaque, uint64_t address, uint64_t *value)
{
	struct cpu *cpu = opaque;

	if (!memory_at(&cpu->machine->memory, address))
		return false;
	*value = phys_read(cpu, address, 8);
	return true;
}

static struct vmx_check_env check_env(struct cpu *cpu)
{
	return (struct vmx_check_env){
		.vmcs = cpu->vmx->vmcs,
		.caps = cpu->vmx->caps,
		.cr0 = cpu->cr0,
		.cr4 = cpu->cr4,
		.efer = cpu->efer,
		.tracing = cpu->pt.msr.ctl & RTIT_CTL_TRACE_EN,
		.current_vmcs = cpu->vmx->current,
		.read_phys32 = read_phys32,
		.read_guest64 = read_guest64,
		.opaque = cpu,
	};
}

/* The secondary controls count as 0 unless they are activated. */
static uint32_t secondary_controls(const struct vmcs *vmcs)
{
	if (!(vmcs_get(vmcs, PRIMARY_CONTROLS) & PRIMARY_ACTIVATE_SECONDARY))
		return 0;
	return (uint32_t)vmcs_get(vmcs, SECONDARY_CONTROLS);
}

/* ---- controls in force ---- */

static void load_tsc_controls(struct vmx_state *vmx)
{
	vmx->tsc_offset = 0;
	vmx->tsc_multiplier = BIT64(48);
	if (!(vmx->primary & PRIMARY_USE_TSC_OFFSETTING))
		return;
	vmx->tsc_offset = vmcs_get(vmx->vmcs, TSC_OFFSET);
	if (vmx->secondary & SECONDARY_USE_TSC_SCALING)
		vmx->tsc_multiplier = vmcs_get(vmx->vmcs, TSC_MULTIPLIER);
}

void vmx_load_controls(struct cpu *cpu)
{
	struct vmx_state *vmx = cpu->vmx;
	struct vmx_private *private = vmx->private;
	const struct vmcs *vmcs = vmx->vmcs;

	vmx->pin = (uint32_t)vmcs_get(vmcs, PIN_BASED_CONTROLS);
	vmx->primary = (uint32_t)vmcs_get(vmcs, PRIMARY_CONTROLS);
	vmx->secondary = secondary_controls(vmcs);
	vmx->exit_controls = (uint32_t)vmcs_get(vmcs, EXIT_CONTROLS);
	vmx->entry_controls = (uint32_t)vmcs_get(vmcs, ENTRY_CONTROLS);
	vmx->exception_bitmap = (uint32_t)vmcs_get(vmcs, EXCEPTION_BITMAP);
	vmx->eptp = vmx->secondary & SECONDARY_ENABLE_EPT ? vmcs_get(vmcs, EPT_POINTER) : 0;
	vmx->vpid = vmx->secondary & SECONDARY_ENABLE_VPID ? (uint16_t)vmcs_get(vmcs, VPID) : 0;
	vmx->apic_access = vmx->secondary & SECONDARY_VIRTUALIZE_APIC_ACCESSES ?
				   vmcs_get(vmcs, APIC_ACCESS_ADDRESS) :
				   UINT64_MAX;
	load_tsc_controls(vmx);
	private->virtual_apic = vmcs_get(vmcs, VIRTUAL_APIC_ADDRESS);
	private->msr_bitmap = vmcs_get(vmcs, MSR_BITMAP);
	private->io_bitmap[0] = vmcs_get(vmcs, IO_BITMAP_A);
	private->io_bitmap[1] = vmcs_get(vmcs, IO_BITMAP_B);
}

/* ---- the entry ---- */

static void tell_failure(struct cpu *cpu)
{
	hang_saw_entry(cpu->machine, cpu->vmx->current, vmx_last_failure(cpu));
	if (cpu->vmx->on_entry_failure)
		cpu->vmx->on_entry_failure(cpu, vmx_last_failure(cpu));
}

/* SDM 3C "VM-Entry Failures During or After Loading Guest State": only the reason and the
 * qualification are recorded, the state is the host's, the guest-state area and the blocking by NMI
 * stay as they were. */
static void fail_to_host(struct cpu *cpu, enum vmx_exit_reason reason, uint64_t qualification,
			 bool nmi_blocked)
{
	struct vmx_state *vmx = cpu->vmx;
	struct vmx_exit_info info = {.reason = reason, .qualification = qualification};

	vmcs_set(vmx->vmcs, EXIT_REASON, (uint32_t)reason | EXIT_REASON_ENTRY_FAILURE);
	vmcs_set(vmx->vmcs, EXIT_QUALIFICATION, qualification);
	vmx->exits++;
	vmx->exit_counts[reason]++;
	vmx_log_entry(cpu, true);
	vmx_log_exit(cpu, &info, true);
	cpu_charge(cpu, COST_VM_ENTRY + COST_VM_EXIT);
	vmx_load_host_state(cpu);
	pt_entered(cpu, true);
	cpu->nmi_blocked = nmi_blocked;
	tell_failure(cpu);
}

/* True: the checks of the group hold; false: VMfailValid(error) has been set. */
static bool check_group(struct cpu *cpu, const struct vmx_check_env *env,
			enum vmx_check_group group, enum vmx_error error)
{
	const struct vmx_check *check = vmx_checks_run(group, env);

	if (!check)
		return true;
	vmx_describe_check(cpu, check);
	vmx_set_fail(cpu, cpu->vmx->vmcs, error);
	tell_failure(cpu);
	return false;
}

/* All checks of VMCS and CPU, in the SDM's order. False: the entry has failed. */
static bool check_everything(struct cpu *cpu)
{
	struct vmx_check_env env = check_env(cpu);
	const struct vmx_check *check;

	if (vmx_checks_still_hold(cpu, &env))
		return true;
	if (!check_group(cpu, &env, VMX_CHECK_CONTROLS, VMX_ERROR_ENTRY_CONTROLS) ||
	    !check_group(cpu, &env, VMX_CHECK_HOST, VMX_ERROR_ENTRY_HOST_STATE))
		return false;
	check = vmx_checks_run(VMX_CHECK_GUEST, &env);
	if (check) {
		vmx_describe_check(cpu, check);
		fail_to_host(cpu, EXIT_REASON_ENTRY_FAILURE_GUEST_STATE, check->qualification,
			     cpu->nmi_blocked);
		return false;
	}
	vmx_checks_held(cpu, &env);
	return true;
}

/* SDM 3C "Operations that Invalidate Cached Mappings": without VPIDs, the linear and combined
 * mappings of VPID 0. Guest-physical mappings may stay, but parts that exist walk EPT again then,
 * and software counts on seeing its accessed and dirty flags set again. */
static void forget_translations(struct cpu *cpu)
{
	if (cpu->vmx->vpid)
		return;
	mmu_invvpid(cpu, INVVPID_SINGLE, 0, 0);
	if (cpu->vmx->eptp)
		mmu_invept(cpu, cpu->vmx->eptp);
}

/* Non-root operation begins: what is not guest state. */
static void commit(struct cpu *cpu, bool launch)
{
	struct vmx_state *vmx = cpu->vmx;
	struct vmx_private *private = vmx->private;

	if (launch)
		vmx->vmcs->launch_state = VMCS_STATE_LAUNCHED;
	vmx->nonroot = true;
	vmx->entries++;
	vmx->mtf_pending = false;
	private->mtf_armed = true;
	private->apic_pending = APIC_NOTHING;
	private->virtual_interrupt = false;
	private->iret_unblocked_nmi = false;
	private->pause_first = private->pause_last = 0;
	forget_translations(cpu);
	cpu_mode_changed(cpu);
	cpu->next_rip = vmcs_get(vmx->vmcs, GUEST_RIP);
	cpu_charge(cpu, COST_VM_ENTRY);
	vmx_timer_start(cpu);
	vmx_inject_event(cpu);
	vmx_apic_entry(cpu);
	vmx_log_entry(cpu, false);
	cpu->attention = true;
}

void vmx_enter(struct cpu *cpu, bool launch)
{
	const struct vmcs *vmcs = cpu->vmx->vmcs;
	uint64_t counting = cpu->msrs.perf_global_ctrl;
	bool nmi = cpu->nmi_blocked;
	uint32_t bad;

	if (!check_everything(cpu))
		return;
	vmx_load_controls(cpu);
	pt_entering(cpu);
	if (!vmx_load_guest_state(cpu)) {
		vmx_describe_text(cpu, "PDPTEs at guest CR3 have reserved bits set");
		fail_to_host(cpu, EXIT_REASON_ENTRY_FAILURE_GUEST_STATE, 2, nmi);
		return;
	}
	bad = vmx_load_msrs(cpu, vmcs_get(vmcs, ENTRY_MSR_LOAD_ADDRESS),
			    (uint32_t)vmcs_get(vmcs, ENTRY_MSR_LOAD_COUNT));
	if (bad) {
		vmx_describe_msr(cpu, bad);
		fail_to_host(cpu, EXIT_REASON_ENTRY_FAILURE_MSR_LOADING, bad, nmi);
		return;
	}
	commit(cpu, launch);
	pt_entered(cpu, cpu->vmx->entry_controls & ENTRY_CONCEAL_VMX_FROM_PT);
	perf_entered(cpu, counting);
}
