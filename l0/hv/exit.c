/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The exit loop's body: from the exit stub to what the stub does next. One table says who handles
 * which reason; shadow/ is asked first while L2 runs.
 */
#include "l0/hv/exit.h"

#include "l0/hv/hw.h"
#include "l0/hv/log.h"

enum exit_needs { NEEDS_NOTHING, NEEDS_QUALIFICATION };

static const struct exit_row {
	enum exit_next (*handler)(struct vcpu *vcpu);
	enum exit_needs needs;
} rows[HV_EXIT_COUNTERS] = {
#define EXIT_ROW(reason, handler, needs)                                                           \
	[EXIT_REASON_##reason] = {handle_##handler, NEEDS_##needs},
#include "l0/hv/exits.def"
#undef EXIT_ROW
};

static inline struct vcpu *vcpu_of(struct shadow_regs *regs)
{
	return (struct vcpu *)((char *)regs - offsetof(struct vcpu, regs));
}

_Noreturn static enum exit_next unexpected(struct vcpu *vcpu)
{
	hv_end_guest(vcpu, "an exit that nothing asked for");
}

/* RIP past the instruction that exited, as if it had completed. */
static inline void skip_insn(void)
{
	uint64_t rip = hw_vmread(VMCS_GUEST_RIP) + hw_vmread(VMCS_EXIT_INSTRUCTION_LENGTH);
	uint64_t blocking = hw_vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE);

	hw_vmwrite(VMCS_GUEST_RIP, rip);
	if (blocking & (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS))
		hw_vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE,
			   blocking & ~(uint64_t)(INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS));
	/* SDM 3B "Single-Step Exception Condition": a trap after the instruction, by the entry;
	 * with BTF only branches trap. */
	if (hw_vmread(VMCS_GUEST_RFLAGS) & RFLAGS_TF &&
	    !(hw_vmread(VMCS_GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF))
		hw_vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS,
			   hw_vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) | PENDING_DEBUG_BS);
}

static __attribute__((noinline)) void fault(enum exit_next next)
{
	if (next == EXIT_NEXT_UD)
		guest_inject(VECTOR_UD);
	else
		guest_inject_code(VECTOR_GP, 0);
}

/* Inlined where it is used: this is the path whose length everybody above us pays for. */
static inline __attribute__((always_inline)) void handle_by_row(struct vcpu *vcpu, uint32_t reason)
{
	const struct exit_row *row = &rows[reason % HV_EXIT_COUNTERS];
	enum exit_next next;

	if (row->needs == NEEDS_QUALIFICATION)
		vcpu->exit.qualification = hw_vmread(VMCS_EXIT_QUALIFICATION);
	next = __builtin_expect(!!row->handler, true) ? row->handler(vcpu) : unexpected(vcpu);
	if (__builtin_expect(next == EXIT_NEXT_SKIP, true))
		skip_insn();
	else if (__builtin_expect(next != EXIT_NEXT_RESUME, false))
		fault(next);
}

/* Out of line, so that the way past it needs no registers saved. */
static __attribute__((noinline)) void absorb(struct vcpu *vcpu, enum shadow_next next)
{
	if (next == SHADOW_DEAD)
		hv_end_guest(vcpu, vcpu->shadow.dead);
	handle_by_row(vcpu, vcpu->exit.reason);
	shadow_l2_absorbed(&vcpu->shadow);
}

static inline void follow(struct vcpu *vcpu, enum shadow_next next)
{
	if (__builtin_expect(next > SHADOW_RESUME_L2, false))
		absorb(vcpu, next);
}

enum exit_next handle_vmx_insn(struct vcpu *vcpu)
{
	follow(vcpu, shadow_l1_vmx_insn(&vcpu->shadow, &vcpu->regs, vcpu->exit.reason));
	return EXIT_NEXT_RESUME;
}

/* A failed VM entry leaves the launch state as it was (SDM 3C "VM-Entry Failures During or After
 * Loading Guest State"), which the flag set before a VMLAUNCH does not know: make both clear. */
static void reset_launch_state(struct vcpu *vcpu)
{
	uint64_t vmcs = hw_vmptrst();

	if (!hw_vmclear(&vmcs) || !hw_vmptrld(&vmcs))
		hv_panic("a VMCS can't be cleared");
	*vcpu->shadow.launched = false;
}

static __attribute__((noinline)) void entry_failure(struct vcpu *vcpu)
{
	reset_launch_state(vcpu);
	if (!vcpu->shadow.in_l2)
		hv_end_guest(vcpu, "its state is one that the CPU does not enter");
	follow(vcpu, shadow_l2_exit(&vcpu->shadow, &vcpu->regs, vcpu->exit.reason));
}

_Static_assert(offsetof(struct vcpu, attention) == offsetof(struct vcpu, regs) + 128,
	       "entry.S finds it there");

static inline bool resume(struct vcpu *vcpu)
{
	bool launched = *vcpu->shadow.launched;

	*vcpu->shadow.launched = true;
	return launched;
}

bool exit_attend(struct shadow_regs *regs, bool launched)
{
	struct vcpu *vcpu = vcpu_of(regs);

	vcpu->attention &= ~(uint32_t)HV_ATTENTION_NEW;
	*vcpu->shadow.launched = launched;
	if (vcpu->attention & HV_ATTENTION_INIT)
		guest_deliver_init(vcpu);
	if (vcpu->attention & HV_ATTENTION_NMI)
		guest_deliver_nmi(vcpu);
	if (vcpu->attention & HV_ATTENTION_LOG)
		log_resume(vcpu);
	return resume(vcpu);
}

bool exit_handle(struct shadow_regs *regs)
{
	struct vcpu *vcpu = vcpu_of(regs);
	uint32_t reason = (uint32_t)hw_vmread(VMCS_EXIT_REASON);

	vcpu->exit.reason = reason;
	vcpu->recent[vcpu->recent_next++] = reason;
	vcpu->exits[reason % HV_EXIT_COUNTERS]++;
	if (__builtin_expect(vcpu->attention & HV_ATTENTION_LOG, 0))
		log_exit(vcpu, reason);
	reason = vcpu->exit.reason; /* not kept in a register across the call */
	if (__builtin_expect(reason & EXIT_REASON_ENTRY_FAILURE, 0))
		entry_failure(vcpu);
	else if (!vcpu->shadow.in_l2)
		handle_by_row(vcpu, reason);
	else
		follow(vcpu, shadow_l2_exit(&vcpu->shadow, &vcpu->regs, reason));
	return resume(vcpu);
}

bool exit_entry_failed(struct shadow_regs *regs, bool invalid, bool valid)
{
	struct vcpu *vcpu = vcpu_of(regs);
	struct vmx_result result = hw_vmx_result(invalid, valid);

	reset_launch_state(vcpu);
	if (!vcpu->shadow.in_l2)
		hv_panic("VM entry of VMCS01 failed with error %u", result.error);
	follow(vcpu, shadow_entry_failed(&vcpu->shadow, &result));
	return resume(vcpu);
}
