/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What any emulation does to the guest of the current VMCS: complete an instruction, inject a
 * fault, put an interrupted event back.
 */
#include "shadow/entry.h"
#include "shadow/sdm/msr.h"
#include "shadow/shadow.h"
#include "shadow/slot.h"

void shadow_skip_insn(struct shadow_env *env)
{
	uint64_t rip = env->vmcs_read(env, VMCS_GUEST_RIP);
	uint64_t next = rip + env->vmcs_read(env, VMCS_EXIT_INSTRUCTION_LENGTH);
	uint64_t blocking = env->vmcs_read(env, VMCS_GUEST_INTERRUPTIBILITY_STATE);

	/* Outside 64-bit mode EIP wraps; an instruction can only cross 4 GB there. */
	if ((next ^ rip) >> 32 && !(env->vmcs_read(env, VMCS_GUEST_CS_ACCESS_RIGHTS) & AR_L))
		next &= UINT32_MAX;
	env->vmcs_write(env, VMCS_GUEST_RIP, next);
	if (blocking & (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS))
		env->vmcs_write(env, VMCS_GUEST_INTERRUPTIBILITY_STATE,
				blocking & ~(INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS));
	/* SDM 3B "Single-Step Exception Condition"; with BTF only branches trap. */
	if (env->vmcs_read(env, VMCS_GUEST_RFLAGS) & RFLAGS_TF &&
	    !(env->vmcs_read(env, VMCS_GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF))
		env->vmcs_write(env, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS,
				env->vmcs_read(env, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) |
				    PENDING_DEBUG_BS);
}

void shadow_inject_fault(struct shadow_env *env, uint8_t vector, bool has_code, uint32_t code)
{
	uint32_t info =
	    INTR_INFO_VALID | INTR_TYPE_HARDWARE_EXCEPTION << INTR_INFO_TYPE_SHIFT | vector;

	if (has_code) {
		info |= INTR_INFO_ERROR_CODE;
		env->vmcs_write(env, VMCS_ENTRY_EXCEPTION_ERROR_CODE, code);
	}
	env->vmcs_write(env, VMCS_ENTRY_INTERRUPTION_INFO, info);
	/* SDM 3A "RFLAGS", RF: the CPU's own fault pushes it set; injection pushes what it finds.
	 */
	env->vmcs_write(env, VMCS_GUEST_RFLAGS, env->vmcs_read(env, VMCS_GUEST_RFLAGS) | RFLAGS_RF);
}

static bool type_needs_length(uint32_t type)
{
	return type == INTR_TYPE_SOFTWARE_INTERRUPT || type == INTR_TYPE_SOFTWARE_EXCEPTION ||
	       type == INTR_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION;
}

/* SDM 3C "Information for VM Exits During Event Delivery": the event is lost unless injected again.
 * An NMI so lost has already blocked NMIs, which its injection must find unblocked. */
static void reinject(struct shadow_env *env, uint32_t info)
{
	uint32_t type = (info & INTR_INFO_TYPE) >> INTR_INFO_TYPE_SHIFT;

	if (type_needs_length(type))
		env->vmcs_write(env, VMCS_ENTRY_INSTRUCTION_LENGTH,
				env->vmcs_read(env, VMCS_EXIT_INSTRUCTION_LENGTH));
	if (info & INTR_INFO_ERROR_CODE)
		env->vmcs_write(env, VMCS_ENTRY_EXCEPTION_ERROR_CODE,
				env->vmcs_read(env, VMCS_IDT_VECTORING_ERROR_CODE));
	if (type == INTR_TYPE_NMI)
		env->vmcs_write(env, VMCS_GUEST_INTERRUPTIBILITY_STATE,
				env->vmcs_read(env, VMCS_GUEST_INTERRUPTIBILITY_STATE) &
				    ~INTERRUPTIBILITY_NMI);
	env->vmcs_write(env, VMCS_ENTRY_INTERRUPTION_INFO, info & ~INTR_INFO_NMI_UNBLOCKING);
}

/* SDM 3C "Monitor Trap Flag": L0 has executed an instruction for L2, behind which the hardware
 * would have made an MTF VM exit. It makes it before the next instruction if it is injected. */
static void pend_mtf(struct shadow_vcpu *v)
{
	struct shadow_env *env = v->env;

	if (!(slot_primary(v->current) & (uint32_t)PRIMARY_MONITOR_TRAP_FLAG) ||
	    env->vmcs_read(env, VMCS_GUEST_RIP) == v->trapped_rip ||
	    env->vmcs_read(env, VMCS_ENTRY_INTERRUPTION_INFO) & INTR_INFO_VALID)
		return;
	env->vmcs_write(env, VMCS_ENTRY_INTERRUPTION_INFO,
			INTR_INFO_VALID | INTR_TYPE_OTHER_EVENT << INTR_INFO_TYPE_SHIFT);
}

void shadow_l2_absorbed(struct shadow_vcpu *v)
{
	struct shadow_env *env = v->env;
	uint32_t info = (uint32_t)env->vmcs_read(env, VMCS_IDT_VECTORING_INFO);

	if (v->in_l2) {
		if (v->current->extras & (EXTRA_TIMER | EXTRA_PERF))
			guest02_go_on(v, v->current);
		pend_mtf(v);
	}
	if (!(info & INTR_INFO_VALID))
		return;
	if (env->vmcs_read(env, VMCS_ENTRY_INTERRUPTION_INFO) & INTR_INFO_VALID)
		return; /* the handler's own injection takes precedence */
	reinject(env, info);
}
