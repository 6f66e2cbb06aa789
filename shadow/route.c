/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The routing table and the questions in it that are more than one bit of VMCS12.
 */
#include "shadow/route.h"

#include "shadow/bitmap.h"

typedef bool route_question(const struct l2_exit *x);

static uint32_t interruption_info(const struct l2_exit *x)
{
	return (uint32_t)x->v->env->vmcs_read(x->v->env, VMCS_EXIT_INTERRUPTION_INFO);
}

/* SDM 3C "Exception Bitmap": bit of the vector; for #PF flipped if the error code does not match.
 */
static bool bitmap_wants(const struct vmcs *vmcs, uint32_t vector, uint64_t code)
{
	bool bit = vmcs_get(vmcs, EXCEPTION_BITMAP) >> vector & 1;

	if (vector == VECTOR_PF && (code & vmcs_get(vmcs, PAGE_FAULT_ERROR_CODE_MASK)) !=
				       vmcs_get(vmcs, PAGE_FAULT_ERROR_CODE_MATCH))
		return !bit;
	return bit;
}

static bool bitmap_has(const struct l2_exit *x, const struct vmcs *vmcs, uint32_t info)
{
	struct shadow_env *env = x->v->env;
	uint32_t vector = info & 31; /* exceptions have no other vectors */

	return bitmap_wants(vmcs, vector,
			    vector == VECTOR_PF
				? env->vmcs_read(env, VMCS_EXIT_INTERRUPTION_ERROR_CODE)
				: 0);
}

static bool has_error_code(uint8_t vector)
{
	return vector != VECTOR_UD && vector != VECTOR_VE;
}

enum route route_fault(struct l2_exit *x, const struct vmx_result *fault)
{
	bool coded = has_error_code(fault->vector), page = fault->vector == VECTOR_PF;
	struct shadow_env *env = x->v->env;
	uint64_t linear = x->v->fault_linear;

	if (bitmap_wants(&x->slot->v12, fault->vector, fault->error)) {
		x->as = (struct reflect_as){
		    .reason = EXIT_REASON_EXCEPTION_OR_NMI,
		    .given = GIVEN_QUALIFICATION | GIVEN_INTERRUPTION,
		    .qualification = page ? linear : 0,
		    .interruption = INTR_INFO_VALID | fault->vector |
				    INTR_TYPE_HARDWARE_EXCEPTION << INTR_INFO_TYPE_SHIFT |
				    (coded ? INTR_INFO_ERROR_CODE : 0),
		    .error_code = fault->error,
		};
		/* SDM 3C "Saving RIP, RSP, RFLAGS, and SSP": RF as the fault would have pushed it.
		 */
		env->vmcs_write(env, VMCS_GUEST_RFLAGS,
				env->vmcs_read(env, VMCS_GUEST_RFLAGS) | RFLAGS_RF);
		return ROUTE_L1;
	}
	if (page)
		env->set_cr2(env, linear);
	shadow_inject_fault(env, fault->vector, coded, fault->error);
	return ROUTE_DONE;
}

static bool is_nmi(uint32_t info)
{
	return (info & INTR_INFO_TYPE) == INTR_TYPE_NMI << INTR_INFO_TYPE_SHIFT;
}

static bool l0_wants_exception(const struct l2_exit *x)
{
	const struct vmcs *vmcs01 = x->v->l0.vmcs01;
	uint32_t info = interruption_info(x);

	if (is_nmi(info))
		return vmcs_get(vmcs01, PIN_BASED_CONTROLS) & PIN_NMI_EXITING;
	return vmcs_get(vmcs01, EXCEPTION_BITMAP) && bitmap_has(x, vmcs01, info);
}

static bool l1_wants_exception(const struct l2_exit *x)
{
	uint32_t info = interruption_info(x);

	if (is_nmi(info))
		return slot_pin(x->slot) & PIN_NMI_EXITING;
	return bitmap_has(x, &x->slot->v12, info);
}

static bool l0_wants_interrupt(const struct l2_exit *x)
{
	return vmcs_get(x->v->l0.vmcs01, PIN_BASED_CONTROLS) & PIN_EXTERNAL_INTERRUPT_EXITING;
}

/* MOV to and from CR3 and CR8 exit by a control that L0 may have set; the rest by L1's masks alone.
 */
static bool l1_wants_cr_access(const struct l2_exit *x)
{
	uint64_t q = x->v->env->vmcs_read(x->v->env, VMCS_EXIT_QUALIFICATION);
	unsigned cr = q & 0xf;
	bool load = (q >> 4 & 3) == CR_ACCESS_MOV_TO;

	if (cr == 3)
		return slot_primary(x->slot) &
		       (uint32_t)(load ? PRIMARY_CR3_LOAD_EXITING : PRIMARY_CR3_STORE_EXITING);
	if (cr == 8)
		return slot_primary(x->slot) &
		       (uint32_t)(load ? PRIMARY_CR8_LOAD_EXITING : PRIMARY_CR8_STORE_EXITING);
	return true;
}

/* Qualification: 2:0 size - 1 | 31:16 port. */
static bool l1_wants_io(const struct l2_exit *x)
{
	uint64_t q = x->v->env->vmcs_read(x->v->env, VMCS_EXIT_QUALIFICATION);

	return bitmap_wants_io(x->v, x->slot, (uint16_t)(q >> 16), (unsigned)(q & 7) + 1);
}

static bool l1_wants_rdmsr(const struct l2_exit *x)
{
	return bitmap_wants_msr(x->v, x->slot, (uint32_t)x->regs->gpr[REG_RCX], false);
}

static bool l1_wants_wrmsr(const struct l2_exit *x)
{
	return bitmap_wants_msr(x->v, x->slot, (uint32_t)x->regs->gpr[REG_RCX], true);
}

static bool l1_wants_pause(const struct l2_exit *x)
{
	return (slot_primary(x->slot) & (uint32_t)PRIMARY_PAUSE_EXITING) ||
	       (slot_secondary(x->slot) & SECONDARY_PAUSE_LOOP_EXITING);
}

static bool l1_wants_apic_write(const struct l2_exit *x)
{
	return slot_secondary(x->slot) &
	       (SECONDARY_APIC_REGISTER_VIRTUALIZATION | SECONDARY_VIRTUAL_INTERRUPT_DELIVERY |
		SECONDARY_VIRTUALIZE_APIC_ACCESSES);
}

/* SDM 3C "XSAVES": exits if EDX:EAX & IA32_XSS & the bitmap is not 0. With a bitmap of L0's own 0,
 * only L1's bits can have been the reason. */
static bool l1_wants_xss(const struct l2_exit *x)
{
	uint64_t mask = (x->regs->gpr[REG_RDX] << 32) | (uint32_t)x->regs->gpr[REG_RAX];

	return mask & vmcs_get(&x->slot->v12, XSS_EXITING_BITMAP);
}

/* A row's answer: a bit of a control word of VMCS12 (mask != 0), a function, or a constant. */
enum route_word { WORD_CONSTANT, WORD_PIN, WORD_PRIMARY, WORD_SECONDARY };
struct route_row {
	route_first *first;
	route_question *l0_asks, *l1_asks;
	uint32_t mask;
	uint8_t word; /* enum route_word */
	bool l1_always, known;
};

#define L0_NEVER .l0_asks = NULL
#define L0_ASK(f) .l0_asks = (f)
#define L1_ALWAYS .l1_always = true
#define L1_NEVER .l1_always = false
#define L1_ASK(f) .l1_asks = (f)
#define L1_PIN(name) .word = WORD_PIN, .mask = (uint32_t)PIN_##name
#define L1_PRIMARY(name) .word = WORD_PRIMARY, .mask = (uint32_t)PRIMARY_##name
#define L1_SECONDARY(name) .word = WORD_SECONDARY, .mask = (uint32_t)SECONDARY_##name
#define NONE NULL
#define ROUTE(reason, first_, l0, l1, info_)                                                       \
	[EXIT_REASON_##reason] = {.first = (first_), L0_##l0, L1_##l1, .known = true},
static const struct route_row rows[EXIT_REASON_COUNT] = {
#include "shadow/exit_routes.def"
};
#undef ROUTE
#undef NONE

#define I ROUTE_INFO_I
#define L ROUTE_INFO_L
#define G ROUTE_INFO_G
#define ROUTE(reason, first, l0, l1, info) [EXIT_REASON_##reason] = (info),
const uint8_t route_infos[EXIT_REASON_COUNT] = {
#include "shadow/exit_routes.def"
};
#undef ROUTE
#undef I
#undef L
#undef G

static bool l1_wants(const struct l2_exit *x, const struct route_row *row)
{
	if (row->l1_always)
		return true;
	if (row->l1_asks)
		return row->l1_asks(x);
	switch (row->word) {
	case WORD_PIN:
		return slot_pin(x->slot) & row->mask;
	case WORD_PRIMARY:
		return slot_primary(x->slot) & row->mask;
	case WORD_SECONDARY:
		return slot_secondary(x->slot) & row->mask;
	default:
		return false;
	}
}

bool route_l1_asks(const struct l2_exit *x)
{
	uint32_t basic = x->as.reason & EXIT_REASON_BASIC;

	return basic < EXIT_REASON_COUNT && l1_wants(x, &rows[basic]);
}

static __attribute__((noinline)) enum route ask(struct l2_exit *x, const struct route_row *row)
{
	enum route route;

	if (!row->known)
		return ROUTE_L0;
	if (slot_primary(x->slot) & (uint32_t)PRIMARY_MONITOR_TRAP_FLAG)
		x->v->trapped_rip = x->v->env->vmcs_read(x->v->env, VMCS_GUEST_RIP);
	if (row->first) {
		route = row->first(x);
		if (route != ROUTE_ASK)
			return route;
	}
	if (row->l0_asks && row->l0_asks(x))
		return ROUTE_L0;
	return l1_wants(x, row) ? ROUTE_L1 : ROUTE_L0;
}

enum route route_l2_exit(struct l2_exit *x)
{
	uint32_t basic = x->as.reason & EXIT_REASON_BASIC;
	const struct route_row *row;

	if (basic >= EXIT_REASON_COUNT)
		return ROUTE_L0;
	row = &rows[basic];
	if (row->l1_always && !row->first && !row->l0_asks) /* what needs no question */
		return ROUTE_L1;
	return ask(x, row);
}
