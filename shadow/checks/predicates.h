/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The words in which the rows of the check tables are written. All read struct vmx_check_env only.
 * Private to shadow/checks.
 */
#ifndef SHADOW_CHECKS_PREDICATES_H
#define SHADOW_CHECKS_PREDICATES_H

#include "shadow/checks/checks.h"
#include "shadow/sdm/msr.h"

typedef const struct vmx_check_env check_env;

#define FIELD(name) vmcs_get(env->vmcs, name)
#define implies(if_, then) (!(if_) || (then))
#define PIN(name) (!!(FIELD(PIN_BASED_CONTROLS) & PIN_##name))
#define PRIMARY(name) (!!(FIELD(PRIMARY_CONTROLS) & (uint32_t)PRIMARY_##name))
#define SECONDARY(name) (PRIMARY(ACTIVATE_SECONDARY) && FIELD(SECONDARY_CONTROLS) & SECONDARY_##name)
#define EXITING(name) (!!(FIELD(EXIT_CONTROLS) & EXIT_##name))
#define ENTERING(name) (!!(FIELD(ENTRY_CONTROLS) & ENTRY_##name))

static inline bool within_phys(check_env *env, uint64_t address)
{
	return !(address >> env->caps->maxphyaddr);
}

static inline bool aligned_phys(check_env *env, uint64_t address, unsigned bits)
{
	return !(address & (BIT64(bits) - 1)) && within_phys(env, address);
}

#define canonical(address) vmx_caps_canonical(env->caps, address)

/* SDM 3A "Linear-Address Masking": bits of CR3 that are no address. */
static inline bool cr3_ok(check_env *env, uint64_t cr3)
{
	if (vmx_cap(env->caps, CR4_FIXED1) & CR4_LAM_SUP)
		cr3 &= ~(CR3_LAM_U48 | CR3_LAM_U57);
	return within_phys(env, cr3);
}

/* As WRMSR checks IA32_S_CET. */
static inline bool s_cet_ok(check_env *env, uint64_t s_cet)
{
	const uint64_t tracker = CET_SUPPRESS | CET_TRACKER;

	return !(s_cet & CET_RESERVED) && (s_cet & tracker) != tracker && canonical(s_cet);
}

/* SDM 3C "Checks on Guest RIP, RFLAGS, and SSP": bits 63:N are identical. */
static inline bool rip_upper_bits_ok(check_env *env, uint64_t rip)
{
	unsigned width = vmx_caps_linear_width(env->caps);
	uint64_t upper = rip >> width;

	return upper == 0 || upper == UINT64_MAX >> width;
}

static inline bool eptp_walk_ok(check_env *env)
{
	uint64_t walk = FIELD(EPT_POINTER) & EPTP_WALK;

	return walk == EPTP_WALK_4 ||
	       (walk == EPTP_WALK_5 && (vmx_cap(env->caps, EPT_VPID_CAP) & EPT_CAP_WALK_5));
}

/* Bits that are 1 in fixed0 must be 1; bits that are 0 in fixed1 must be 0. */
static inline bool fixed_ok(uint64_t value, uint64_t fixed0, uint64_t fixed1)
{
	return (value & fixed0) == fixed0 && !(value & ~fixed1);
}

static inline bool control_allowed(check_env *env, enum vmx_control_word word, uint64_t value)
{
	uint64_t allowed = vmx_caps_allowed(env->caps, word);

	return fixed_ok(value, (uint32_t)allowed, allowed >> 32);
}

/* First and last byte of an MSR area; an empty area has no address. */
static inline bool msr_area_ok(check_env *env, uint64_t address, uint64_t count)
{
	uint64_t bytes = count * sizeof(struct vmx_msr_entry);

	return !count || (aligned_phys(env, address, 4) && within_phys(env, address + bytes - 1));
}

/* SDM 3A "IA32_PAT MSR": 0 UC, 1 WC, 4 WT, 5 WP, 6 WB, 7 UC-. */
static inline bool pat_ok(uint64_t pat)
{
	for (; pat; pat >>= 8)
		if ((pat & 0xff) > 7 || (pat & 0xff) == 2 || (pat & 0xff) == 3)
			return false;
	return true;
}

/* VTPR[7:4] on the virtual-APIC page (offset 80H). */
static inline uint32_t vtpr_class(check_env *env)
{
	uint32_t vtpr = UINT32_MAX;

	env->read_phys32(env->opaque, FIELD(VIRTUAL_APIC_ADDRESS) + 0x80, &vtpr);
	return vtpr >> 4 & 15;
}

static inline bool eptp_memory_type_ok(check_env *env)
{
	switch (FIELD(EPT_POINTER) & EPTP_MT) {
	case EPTP_MT_WB:
		return vmx_cap(env->caps, EPT_VPID_CAP) & EPT_CAP_WB;
	case 0:
		return vmx_cap(env->caps, EPT_VPID_CAP) & EPT_CAP_UC;
	default:
		return false;
	}
}

static inline bool eptp_switching(check_env *env)
{
	return SECONDARY(ENABLE_VM_FUNCTIONS) && FIELD(VM_FUNCTION_CONTROLS) & 1;
}

/* ---- event injection ---- */

static inline bool injecting(check_env *env)
{
	return FIELD(ENTRY_INTERRUPTION_INFO) & INTR_INFO_VALID;
}

static inline enum vmx_intr_type injection_type(check_env *env)
{
	return (FIELD(ENTRY_INTERRUPTION_INFO) & INTR_INFO_TYPE) >> INTR_INFO_TYPE_SHIFT;
}

static inline bool injecting_type(check_env *env, enum vmx_intr_type type)
{
	return injecting(env) && injection_type(env) == type;
}

static inline uint8_t injection_vector(check_env *env)
{
	return FIELD(ENTRY_INTERRUPTION_INFO) & INTR_INFO_VECTOR;
}

static inline bool injection_type_ok(check_env *env)
{
	if (injection_type(env) == INTR_TYPE_OTHER_EVENT)
		return vmx_features_have(env->caps->features, VMX_FEATURE_MONITOR_TRAP_FLAG);
	return (unsigned)injection_type(env) != 1;
}

static inline bool injection_vector_ok(check_env *env)
{
	switch (injection_type(env)) {
	case INTR_TYPE_NMI:
		return injection_vector(env) == VECTOR_NMI;
	case INTR_TYPE_HARDWARE_EXCEPTION:
		return injection_vector(env) <= 31;
	case INTR_TYPE_OTHER_EVENT:
		return injection_vector(env) == 0;
	default:
		return true;
	}
}

/* #DF #TS #NP #SS #GP #PF #AC push an error code, in protected mode. */
static inline bool injection_error_ok(check_env *env)
{
	bool error = FIELD(ENTRY_INTERRUPTION_INFO) & INTR_INFO_ERROR_CODE;
	const uint32_t with_error = BIT32(VECTOR_DF) | BIT32(VECTOR_TS) | BIT32(VECTOR_NP) |
				    BIT32(VECTOR_SS) | BIT32(VECTOR_GP) | BIT32(VECTOR_PF) |
				    BIT32(VECTOR_AC);

	if (injection_type(env) != INTR_TYPE_HARDWARE_EXCEPTION || injection_vector(env) > 31)
		return !error;
	if (SECONDARY(UNRESTRICTED_GUEST) && !(FIELD(GUEST_CR0) & CR0_PE))
		return !error;
	return (vmx_cap(env->caps, BASIC) & VMX_BASIC_ANY_ERROR_CODE) ||
	       error == (with_error >> injection_vector(env) & 1);
}

static inline bool injection_is_software(check_env *env)
{
	return injection_type(env) >= INTR_TYPE_SOFTWARE_INTERRUPT &&
	       injection_type(env) <= INTR_TYPE_SOFTWARE_EXCEPTION;
}

static inline bool injection_length_ok(check_env *env)
{
	uint64_t length = FIELD(ENTRY_INSTRUCTION_LENGTH);

	return length <= 15 &&
	       (length || vmx_cap(env->caps, MISC) & VMX_MISC_INJECT_LENGTH_ZERO);
}

/* SDM 3C "Checks on Guest Non-Register State": what may be injected in each activity state. */
static inline bool injection_fits_activity(check_env *env)
{
	bool exception = injecting_type(env, INTR_TYPE_HARDWARE_EXCEPTION);
	uint8_t vector = injection_vector(env);

	switch (FIELD(GUEST_ACTIVITY_STATE)) {
	case ACTIVITY_ACTIVE:
		return true;
	case ACTIVITY_HLT:
		return injecting_type(env, INTR_TYPE_EXTERNAL) ||
		       injecting_type(env, INTR_TYPE_NMI) ||
		       (exception && (vector == VECTOR_DB || vector == VECTOR_MC)) ||
		       injecting_type(env, INTR_TYPE_OTHER_EVENT);
	case ACTIVITY_SHUTDOWN:
		return injecting_type(env, INTR_TYPE_NMI) || (exception && vector == VECTOR_MC);
	default:
		return false;
	}
}

/* ---- host ---- */

static inline bool host_efer_mode_ok(check_env *env)
{
	uint64_t mode = FIELD(HOST_IA32_EFER) & (EFER_LMA | EFER_LME);

	return mode == (EXITING(HOST_ADDRESS_SPACE_SIZE) ? EFER_LMA | EFER_LME : 0);
}

/* ---- guest ---- */

static inline bool guest_cr0_ok(check_env *env)
{
	uint64_t fixed0 = vmx_cap(env->caps, CR0_FIXED0);

	if (SECONDARY(UNRESTRICTED_GUEST))
		fixed0 &= ~(CR0_PE | CR0_PG);
	/* CD and NW are never checked, SDM 3D "VMX-Fixed Bits in CR0". */
	return fixed_ok(FIELD(GUEST_CR0) & ~(CR0_CD | CR0_NW), fixed0,
			vmx_cap(env->caps, CR0_FIXED1));
}

static inline bool vm86(check_env *env)
{
	return FIELD(GUEST_RFLAGS) & RFLAGS_VM;
}

static inline bool code64(check_env *env)
{
	return ENTERING(IA32E_MODE_GUEST) && FIELD(GUEST_CS_ACCESS_RIGHTS) & AR_L;
}

static inline uint32_t access_rights(check_env *env, enum x86_seg seg)
{
	return vmcs_get_seg(env->vmcs, ACCESS_RIGHTS, seg);
}

static inline bool usable(check_env *env, enum x86_seg seg)
{
	return !(access_rights(env, seg) & AR_UNUSABLE);
}

/* Access rights of CS are checked always, of the others only if usable; of none in virtual-8086
 * mode. */
static inline bool checked(check_env *env, enum x86_seg seg)
{
	return !vm86(env) && (seg == SEG_CS || usable(env, seg));
}

static inline unsigned type(check_env *env, enum x86_seg seg)
{
	return access_rights(env, seg) & AR_TYPE;
}

static inline unsigned dpl(check_env *env, enum x86_seg seg)
{
	return (access_rights(env, seg) & AR_DPL) >> AR_DPL_SHIFT;
}

static inline bool cs_type_ok(check_env *env)
{
	unsigned t = type(env, SEG_CS);

	return (t & (AR_TYPE_CODE | AR_TYPE_ACCESSED)) == (AR_TYPE_CODE | AR_TYPE_ACCESSED) ||
	       (t == 3 && SECONDARY(UNRESTRICTED_GUEST));
}

static inline bool cs_dpl_ok(check_env *env)
{
	switch (type(env, SEG_CS)) {
	case 3:
		return dpl(env, SEG_CS) == 0;
	case 9:
	case 11:
		return dpl(env, SEG_CS) == dpl(env, SEG_SS);
	default:
		return dpl(env, SEG_CS) <= dpl(env, SEG_SS);
	}
}

static inline bool data_type_ok(unsigned t)
{
	return (t & AR_TYPE_ACCESSED) && (!(t & AR_TYPE_CODE) || (t & AR_TYPE_READABLE));
}

/* A limit with a 0 among bits 11:0 cannot be in pages; one with a 1 among bits 31:20 must be. */
static inline bool granularity_ok(check_env *env, enum x86_seg seg)
{
	uint64_t limit = vmcs_get_seg(env->vmcs, LIMIT, seg);
	bool pages = access_rights(env, seg) & AR_G;

	return pages ? (limit & 0xfff) == 0xfff : !(limit & UINT32_C(0xfff00000));
}

static inline bool blocking(check_env *env, uint64_t bits)
{
	return FIELD(GUEST_INTERRUPTIBILITY_STATE) & bits;
}

static inline bool activity_known(check_env *env)
{
	uint64_t state = FIELD(GUEST_ACTIVITY_STATE);

	return state == ACTIVITY_ACTIVE ||
	       (state <= ACTIVITY_WAIT_SIPI &&
		vmx_cap(env->caps, MISC) & (VMX_MISC_ACTIVITY_HLT << (state - ACTIVITY_HLT)));
}

static inline bool pending_bs_ok(check_env *env)
{
	bool stepping =
	    (FIELD(GUEST_RFLAGS) & RFLAGS_TF) && !(FIELD(GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF);

	if (!blocking(env, INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS) &&
	    FIELD(GUEST_ACTIVITY_STATE) != ACTIVITY_HLT)
		return true;
	return !!(FIELD(GUEST_PENDING_DEBUG_EXCEPTIONS) & PENDING_DEBUG_BS) == stepping;
}

static inline bool pending_rtm_ok(check_env *env)
{
	return (env->caps->debugctl_valid & DEBUGCTL_RTM) &&
	       FIELD(GUEST_PENDING_DEBUG_EXCEPTIONS) ==
		   (PENDING_DEBUG_RTM | PENDING_DEBUG_ENABLED_BREAKPOINT) &&
	       !blocking(env, INTERRUPTIBILITY_MOV_SS);
}

static inline bool linked(check_env *env)
{
	return FIELD(VMCS_LINK_POINTER) != UINT64_MAX;
}

static inline bool link_revision_ok(check_env *env)
{
	uint32_t revision = 0, shadow = SECONDARY(VMCS_SHADOWING) ? VMCS_SHADOW_INDICATOR : 0;
	uint32_t own = vmx_cap(env->caps, BASIC) & VMX_BASIC_REVISION;

	return env->read_phys32(env->opaque, FIELD(VMCS_LINK_POINTER), &revision) &&
	       revision == (own | shadow);
}

static inline bool pae_paging(check_env *env)
{
	return (FIELD(GUEST_CR0) & CR0_PG) && (FIELD(GUEST_CR4) & CR4_PAE) &&
	       !ENTERING(IA32E_MODE_GUEST);
}

/* SDM 3A "PAE Paging": bits 2:1, 8:5 and those beyond the physical width are reserved if P. */
static inline bool pdpte_ok(check_env *env, uint64_t pdpte)
{
	return !(pdpte & PTE_P) || (!(pdpte & PDPTE_RESERVED) && within_phys(env, pdpte));
}

static inline bool pdpte_fields_ok(check_env *env)
{
	return pdpte_ok(env, FIELD(GUEST_PDPTE0)) && pdpte_ok(env, FIELD(GUEST_PDPTE1)) &&
	       pdpte_ok(env, FIELD(GUEST_PDPTE2)) && pdpte_ok(env, FIELD(GUEST_PDPTE3));
}

static inline bool pdpte_memory_ok(check_env *env)
{
	uint64_t table = FIELD(GUEST_CR3) & UINT32_C(0xffffffe0), pdpte;

	if (!env->read_guest64)
		return true;
	for (unsigned i = 0; i < 4; i++)
		if (env->read_guest64(env->opaque, table + 8 * i, &pdpte) && !pdpte_ok(env, pdpte))
			return false;
	return true;
}

#endif
