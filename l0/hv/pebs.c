/* SPDX-License-Identifier: BSD-2-Clause
 *
 * PEBS is the guest's, with its records at linear addresses of the guest: in VMX root operation,
 * where those would be ours, it is off, and the counters that make records stand still. While the
 * guest has it on, MSR areas of the VMCS see to that, at the transitions themselves (SDM 3C
 * "Loading MSRs"); otherwise the areas are empty, and cost nothing.
 */
#include "l0/hv/hv.h"
#include "l0/hv/hw.h"

enum { FIRST, SECOND, ENTRIES };
static struct {
	struct vmx_msr_entry entry[ENTRIES], exit[ENTRIES];
} lists __attribute__((aligned(16))) = {
    .entry = {{.index = MSR_IA32_PEBS_ENABLE}, {.index = MSR_IA32_PERF_GLOBAL_CTRL}},
    .exit = {{.index = MSR_IA32_PERF_GLOBAL_CTRL}, {.index = MSR_IA32_PEBS_ENABLE}},
};
static bool active;

static uint64_t *const enable = &lists.entry[FIRST].value;
static uint64_t *const control = &lists.entry[SECOND].value;

/* What the counters do while we run. */
static void hold(void)
{
	lists.exit[FIRST].value = *control & ~*enable;
	hw_wrmsr(MSR_IA32_PERF_GLOBAL_CTRL, lists.exit[FIRST].value);
}

static void switch_lists(struct vcpu *vcpu)
{
	const struct {
		enum vmcs_field field;
		uint64_t value;
	} rows[] = {
	    {VMCS_ENTRY_MSR_LOAD_ADDRESS, memory_address(lists.entry)},
	    {VMCS_ENTRY_MSR_LOAD_COUNT, active ? ENTRIES : 0},
	    {VMCS_EXIT_MSR_LOAD_ADDRESS, memory_address(lists.exit)},
	    {VMCS_EXIT_MSR_LOAD_COUNT, active ? ENTRIES : 0},
	};
	uint64_t current = hw_vmptrst();

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		hw_vmwrite(rows[i].field, rows[i].value);
	if (!hw_vmptrld(&vcpu->vmcs01_hpa))
		hv_panic("VMCS01 can't be loaded");
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		vmcs01_write(vcpu, rows[i].field, rows[i].value);
	if (!hw_vmptrld(&current))
		hv_panic("the current VMCS can't be loaded");
	msr_intercept_write(vcpu, MSR_IA32_PERF_GLOBAL_CTRL, active);
	shadow_l0_changed(&vcpu->shadow);
}

/* Never written to the CPU here: a record may be due, and would be written at once. With adaptive
 * PEBS every counter has its bit. */
static bool write_enable(struct vcpu *vcpu, uint64_t value)
{
	uint64_t off;

	if (!hw_try_rdmsr(MSR_IA32_PEBS_ENABLE, &off) ||
	    (value & ~hv.machine.caps.perf_global_ctrl_valid))
		return false;
	if (!active)
		*control = hw_rdmsr(MSR_IA32_PERF_GLOBAL_CTRL);
	*enable = value;
	if (active != (value != 0)) {
		active = value;
		switch_lists(vcpu);
	}
	hold();
	return true;
}

bool pebs_read_msr(uint32_t msr, uint64_t *value)
{
	if (!active)
		return hw_try_rdmsr(msr, value);
	*value = msr == MSR_IA32_PEBS_ENABLE ? *enable : *control;
	return true;
}

bool pebs_write_msr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	if (msr == MSR_IA32_PEBS_ENABLE)
		return write_enable(vcpu, value);
	if (!active)
		return hw_try_wrmsr(msr, value);
	if (value & ~hv.machine.caps.perf_global_ctrl_valid)
		return false;
	*control = value;
	hold();
	return true;
}
