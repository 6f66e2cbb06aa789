/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which VM-entry checks must be made again. Most entries follow an exit of the same VMCS with
 * nothing but RIP, RSP, CR3, flags and exit information changed since all checks held; then only
 * the rows that read those fields, or memory, can come out otherwise. The decision compares the
 * contents of the VMCS, so it is right however they were changed. Anything unusual: all checks run.
 */
#include "l0/machine/interp/vmx/private.h"

#include <string.h>

/* What a changed field means for the checks that held. */
enum effect {
	EFFECT_CHECK_ALL = 0,
	EFFECT_NONE,      /* no check reads it */
	EFFECT_QUICK,     /* rows that list it read it, no others (meta-tested) */
	EFFECT_FLAGS,     /* RFLAGS: as QUICK while only bits without consequences differ */
	EFFECT_INJECTION, /* no check reads it unless an event is injected */
};

#define I(name) [VMCS_INDEX_##name]
static const uint8_t effects[VMCS_FIELD_COUNT] = {
	I(GUEST_RIP) = EFFECT_QUICK,
	I(GUEST_CR3) = EFFECT_QUICK,
	I(GUEST_RSP) = EFFECT_NONE,
	I(GUEST_RFLAGS) = EFFECT_FLAGS,
	I(GUEST_INTERRUPT_STATUS) = EFFECT_NONE,
	I(PML_INDEX) = EFFECT_NONE,
	I(PREEMPTION_TIMER_VALUE) = EFFECT_NONE,
	I(TSC_OFFSET) = EFFECT_NONE,
	I(EXCEPTION_BITMAP) = EFFECT_NONE,
	I(CR0_READ_SHADOW) = EFFECT_NONE,
	I(CR4_READ_SHADOW) = EFFECT_NONE,
	I(ENTRY_INTERRUPTION_INFO) = EFFECT_INJECTION,
	I(ENTRY_EXCEPTION_ERROR_CODE) = EFFECT_INJECTION,
	I(ENTRY_INSTRUCTION_LENGTH) = EFFECT_INJECTION,
	I(GUEST_PHYSICAL_ADDRESS) = EFFECT_NONE,
	I(INSTRUCTION_ERROR) = EFFECT_NONE,
	I(EXIT_REASON) = EFFECT_NONE,
	I(EXIT_INTERRUPTION_INFO) = EFFECT_NONE,
	I(EXIT_INTERRUPTION_ERROR_CODE) = EFFECT_NONE,
	I(IDT_VECTORING_INFO) = EFFECT_NONE,
	I(IDT_VECTORING_ERROR_CODE) = EFFECT_NONE,
	I(EXIT_INSTRUCTION_LENGTH) = EFFECT_NONE,
	I(EXIT_INSTRUCTION_INFO) = EFFECT_NONE,
	I(EXIT_QUALIFICATION) = EFFECT_NONE,
	I(GUEST_LINEAR_ADDRESS) = EFFECT_NONE,
};
#undef I

#define HARMLESS_FLAGS                                                                             \
	(RFLAGS_STATUS | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC | RFLAGS_ID)

/* ---- the rows that run always ---- */

static bool lists(const struct vmx_check *check, unsigned index)
{
	for (unsigned i = 0; i < 4 && check->fields[i]; i++)
		if (check->fields[i] == index + 1)
			return true;
	return false;
}

/* The link pointer's rows are among them because they read memory. */
void vmx_recheck_init(struct cpu *cpu)
{
	struct vmx_private *private = vmx_private(cpu);

	for (unsigned i = 0; i < vmx_check_count; i++) {
		const struct vmx_check *check = &vmx_checks[i];

		if (lists(check, VMCS_INDEX_GUEST_RIP) || lists(check, VMCS_INDEX_GUEST_CR3) ||
		    lists(check, VMCS_INDEX_VMCS_LINK_POINTER)) {
			if (private->quick_count == VMX_QUICK_ROWS)
			private->quick_overflow = true;
			else private->quick[private->quick_count++] = check;
		}
	}
}

static bool quick_rows_hold(struct cpu *cpu, const struct vmx_check_env *env)
{
	const struct vmx_private *private = vmx_private(cpu);

	for (unsigned i = 0; i < private->quick_count; i++)
		if (!private->quick[i]->holds(env))
			return false;
	return true;
}

/* ---- what has changed ---- */

static bool harmless(const struct vmcs *vmcs, unsigned index, uint64_t difference)
{
	switch ((enum effect)effects[index]) {
	case EFFECT_NONE:
	case EFFECT_QUICK:
		return true;
	case EFFECT_FLAGS:
		return !(difference & ~HARMLESS_FLAGS);
	case EFFECT_INJECTION:
		return !(vmcs_get(vmcs, ENTRY_INTERRUPTION_INFO) & INTR_INFO_VALID);
	case EFFECT_CHECK_ALL:
		break;
	}
	return false;
}

/* True if the checks read the fields as they were. By pieces: most are equal. */
#define PIECE 16u
static bool same_for_checks(const struct vmcs *vmcs, const uint64_t *old)
{
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i += PIECE) {
		unsigned end = i + PIECE < VMCS_FIELD_COUNT ? i + PIECE : VMCS_FIELD_COUNT;

		if (!memcmp(&vmcs->field[i], &old[i], (end - i) * sizeof(*old)))
			continue;
		for (unsigned n = i; n < end; n++)
			if (vmcs->field[n] != old[n] && !harmless(vmcs, n, vmcs->field[n] ^ old[n]))
				return false;
	}
	return true;
}

/* The TPR threshold is checked against the virtual-APIC page, PDPTEs against the guest's memory. */
static bool depends_on_memory(const struct vmcs *vmcs)
{
	bool pae = (vmcs_get(vmcs, GUEST_CR0) & CR0_PG) && (vmcs_get(vmcs, GUEST_CR4) & CR4_PAE) &&
		   !(vmcs_get(vmcs, ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST);

	return pae || (vmcs_get(vmcs, PRIMARY_CONTROLS) & PRIMARY_USE_TPR_SHADOW);
}

static struct vmx_checked *slot(struct cpu *cpu)
{
	return &vmx_private(cpu)
			->checked[cpu->vmx->current >> PAGE_SHIFT & (VMX_CHECKED_COUNT - 1)];
}

bool vmx_checks_still_hold(struct cpu *cpu, const struct vmx_check_env *env)
{
	const struct vmx_checked *checked = slot(cpu);

	return checked->vmcs == cpu->vmx->current && checked->cr0 == env->cr0 &&
	       checked->cr4 == env->cr4 && checked->efer == env->efer &&
	       checked->tracing == env->tracing && !vmx_private(cpu)->quick_overflow &&
	       !depends_on_memory(env->vmcs) && same_for_checks(env->vmcs, checked->field) &&
	       quick_rows_hold(cpu, env);
}

void vmx_checks_held(struct cpu *cpu, const struct vmx_check_env *env)
{
	struct vmx_checked *checked = slot(cpu);

	checked->vmcs = cpu->vmx->current;
	checked->cr0 = env->cr0;
	checked->cr4 = env->cr4;
	checked->efer = env->efer;
	checked->tracing = env->tracing;
	memcpy(checked->field, env->vmcs->field, sizeof(checked->field));
}
