/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the CPU beneath us offers, read once from CPUID and the VMX capability MSRs, and VMXON.
 */
#include "l0/hv/hv.h"
#include "l0/hv/hw.h"
#include "shadow/sdm/cpuid.h"

#define CPUID_FEATURES_VMX BIT32(5)
#define CPUID_FEATURES_XSAVE BIT32(26)
#define CPUID_FEATURES_HYPERVISOR BIT32(31)

/* A capability that is a bit of an MSR rather than of a control word. */
static const struct {
	uint32_t msr;
	uint64_t bit;
	enum vmx_feature feature;
} capability_bits[] = {
#define CAPABILITY(msr, bit, feature) {MSR_IA32_VMX_##msr, bit, VMX_FEATURE_##feature},
#include "l0/hv/capabilities.def"
#undef CAPABILITY
};

static const struct {
	enum vmx_control_word word;
	uint32_t bit;
	enum vmx_feature feature;
} control_bits[] = {
#define WORD_PIN VMX_PIN
#define WORD_PRIMARY VMX_PRIMARY
#define WORD_SECONDARY VMX_SECONDARY
#define WORD_EXIT VMX_EXIT_CONTROLS
#define WORD_ENTRY VMX_ENTRY_CONTROLS
#define CONTROL(word, name, bit, feature, text) {WORD_##word, BIT32(bit), VMX_FEATURE_##feature},
#include "shadow/sdm/controls.def"
#undef CONTROL
};

static uint64_t cap_msr(const struct hv_machine *machine, uint32_t msr)
{
	return machine->caps.msr[msr - MSR_IA32_VMX_BASIC];
}

static void read_capability_msrs(struct hv_machine *machine)
{
	for (unsigned i = 0; i < VMX_CAP_COUNT; i++)
		if (!hw_try_rdmsr(MSR_IA32_VMX_BASIC + i, &machine->caps.msr[i]))
			machine->caps.msr[i] = 0;
}

static void read_allowed(struct hv_machine *machine)
{
	for (unsigned word = 0; word <= VMX_ENTRY_CONTROLS; word++)
		machine->allowed[word] =
		    vmx_caps_allowed(&machine->caps, (enum vmx_control_word)word);
	if (!(machine->allowed[VMX_PRIMARY] >> 32 & PRIMARY_ACTIVATE_SECONDARY))
		machine->allowed[VMX_SECONDARY] = 0;
}

static vmx_features features(const struct hv_machine *machine)
{
	vmx_features set = 0;

	for (unsigned i = 0; i < sizeof(control_bits) / sizeof(control_bits[0]); i++)
		if (control_bits[i].feature < VMX_FEATURE_COUNT &&
		    machine->allowed[control_bits[i].word] >> 32 & control_bits[i].bit)
			set |= VMX_FEATURE_BIT(control_bits[i].feature);
	for (unsigned i = 0; i < sizeof(capability_bits) / sizeof(capability_bits[0]); i++)
		if (cap_msr(machine, capability_bits[i].msr) & capability_bits[i].bit)
			set |= VMX_FEATURE_BIT(capability_bits[i].feature);
	return set;
}

uint32_t machine_control(const struct hv_machine *machine, enum vmx_control_word word,
			 uint32_t wanted)
{
	uint64_t allowed = machine->allowed[word];

	return (wanted & (uint32_t)(allowed >> 32)) | (uint32_t)allowed;
}

static uint32_t highest_leaf(uint32_t range)
{
	return hw_cpuid(range, 0).eax;
}

static uint32_t has_rtm(void)
{
	return highest_leaf(0) >= CPUID_STRUCTURED
		   ? hw_cpuid(CPUID_STRUCTURED, 0).ebx & CPUID_STRUCTURED_EBX_RTM
		   : 0;
}

static uint64_t rtit_ctl_valid(void)
{
	struct cpuid_regs r;

	if (highest_leaf(0) < CPUID_INTEL_PT ||
	    !(hw_cpuid(CPUID_STRUCTURED, 0).ebx & CPUID_STRUCTURED_EBX_INTEL_PT))
		return 0;
	r = hw_cpuid(CPUID_INTEL_PT, 0);
	return cpuid_rtit_ctl_valid(r.ebx, r.ecx, r.eax ? hw_cpuid(CPUID_INTEL_PT, 1).eax : 0);
}

/* What the checks of a VM entry want to know besides the capability MSRs. */
static void read_facts(struct vmx_caps *caps)
{
	uint32_t highest = highest_leaf(0x80000000);
	struct cpuid_regs perfmon = {0};

	caps->maxphyaddr = highest >= 0x80000008 ? hw_cpuid(0x80000008, 0).eax & 0xff : 36;
	if (highest_leaf(0) >= CPUID_PERFMON)
		perfmon = hw_cpuid(CPUID_PERFMON, 0);
	caps->cr4_valid = vmx_cap(caps, CR4_FIXED1);
	caps->efer_valid = cpuid_efer_valid(hw_cpuid(CPUID_EXTENDED_FEATURES, 0).edx);
	caps->perf_global_ctrl_valid = cpuid_perf_global_ctrl_valid(perfmon.eax, perfmon.edx);
	caps->rtit_ctl_valid = rtit_ctl_valid();
	caps->debugctl_valid = cpuid_debugctl_valid(
	    hw_cpuid(CPUID_FEATURES, 0).ecx & CPUID_FEATURES_ECX_PDCM, perfmon.eax,
	    has_rtm());
}

static uint32_t find_level(void)
{
	struct cpuid_regs r;

	if (!(hw_cpuid(1, 0).ecx & CPUID_FEATURES_HYPERVISOR))
		return 0;
	r = hw_cpuid(HV_CPUID_SIGNATURE, 0);
	if (r.ebx != HV_SIGNATURE_EBX || r.ecx != HV_SIGNATURE_ECX || r.edx != HV_SIGNATURE_EDX)
		return 0;
	return hw_cpuid(HV_CPUID_LEVEL, 0).eax + 1;
}

/* A guest that turns paging on and off by itself can be followed only if VM exits store EFER.LMA in
 * the entry controls and EFER has its fields; then every CPU has both (SDM 3D "Miscellaneous
 * Data"). */
static void drop_unrestricted_guest(struct hv_machine *machine)
{
	uint64_t bit = (uint64_t)SECONDARY_UNRESTRICTED_GUEST << 32;

	if (machine_has(machine, VMX_FEATURE_STORE_LMA) && machine_has(machine, VMX_FEATURE_EFER))
		return;
	machine->caps.features &= ~VMX_FEATURE_BIT(VMX_FEATURE_UNRESTRICTED_GUEST);
	vmx_cap(&machine->caps, PROCBASED_CTLS2) &= ~bit;
	machine->allowed[VMX_SECONDARY] &= ~bit;
}

static void require(const struct hv_machine *machine, enum vmx_feature feature, const char *name)
{
	if (!machine_has(machine, feature))
		hv_refuse("this CPU's VMX has no %s, which is needed to run a guest", name);
}

void machine_probe(struct hv_machine *machine)
{
	machine->level = find_level();
	if (!(hw_cpuid(1, 0).ecx & CPUID_FEATURES_VMX))
		hv_refuse("this CPU has no VMX");
	read_capability_msrs(machine);
	read_allowed(machine);
	machine->caps.features = features(machine);
	drop_unrestricted_guest(machine);
	read_facts(&machine->caps);
	require(machine, VMX_FEATURE_EPT, "EPT");
	machine->feature_control = hw_rdmsr(MSR_IA32_FEATURE_CONTROL);
}

static void unlock_vmx(uint64_t control)
{
	if (control & FEATURE_CONTROL_LOCKED) {
		if (!(control & FEATURE_CONTROL_VMX_OUTSIDE_SMX))
			hv_refuse("VMX is locked off by the firmware (IA32_FEATURE_CONTROL = %lx)",
				  control);
		return;
	}
	hw_wrmsr(MSR_IA32_FEATURE_CONTROL,
		 control | FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX_OUTSIDE_SMX);
}

void machine_enter_vmx(const struct hv_machine *machine)
{
	const struct vmx_caps *caps = &machine->caps;
	uint32_t *region = pool_need();
	uint64_t cr4 = hw_read_cr4() | CR4_VMXE;
	uint64_t hpa = memory_address(region);

	if (hw_cpuid(1, 0).ecx & CPUID_FEATURES_XSAVE)
		cr4 |= CR4_OSXSAVE; /* to execute XSETBV for the guest */
	unlock_vmx(machine->feature_control);
	hw_write_cr0((hw_read_cr0() | vmx_cap(caps, CR0_FIXED0)) & vmx_cap(caps, CR0_FIXED1));
	hw_write_cr4((cr4 | vmx_cap(caps, CR4_FIXED0)) & vmx_cap(caps, CR4_FIXED1));
	*region = (uint32_t)(vmx_cap(caps, BASIC) & VMX_BASIC_REVISION);
	if (!hw_vmxon(&hpa))
		hv_panic("VMXON failed");
}
