/* SPDX-License-Identifier: BSD-2-Clause
 *
 * x87 kernels of comparison: into C3, C2, C0, or into ZF, PF, CF; FTST, FXAM.
 */
#include "l0/machine/interp/x87/x87.h"

static enum soft_order order_of(struct x87 *x, bool quiet)
{
	struct soft a, b;

	if (x87_missing(x, 0) || (x->info->operand == X87_STI && x87_missing(x, x87_sti(x))))
		return SOFT_UNORDERED;
	a = x87_unpack(x, x87_get(x->cpu, 0));
	b = x87_operand(x);
	return soft_compare(&x->env, a, b, quiet);
}

static void set_order(struct x87 *x, enum soft_order order)
{
	static const uint16_t bits[] = {[SOFT_LESS] = FSW_C0,
					[SOFT_EQUAL] = FSW_C3,
					[SOFT_GREATER] = 0,
					[SOFT_UNORDERED] = FSW_C3 | FSW_C2 | FSW_C0};

	x->compared = true;
	x->cc_written = FSW_CC;
	x->cc = bits[order];
}

void x87_fcom(struct x87 *x)
{
	set_order(x, order_of(x, false));
}

void x87_fucom(struct x87 *x)
{
	set_order(x, order_of(x, true));
}

static void set_flags(struct x87 *x, enum soft_order order)
{
	static const uint32_t flags[] = {[SOFT_LESS] = RFLAGS_CF,
					 [SOFT_EQUAL] = RFLAGS_ZF,
					 [SOFT_GREATER] = 0,
					 [SOFT_UNORDERED] = RFLAGS_ZF | RFLAGS_PF | RFLAGS_CF};

	x->flags_written = true;
	x->rflags = flags[order];
}

void x87_fcomi(struct x87 *x)
{
	set_flags(x, order_of(x, false));
}

void x87_fucomi(struct x87 *x)
{
	set_flags(x, order_of(x, true));
}

void x87_ftst(struct x87 *x)
{
	struct soft zero = {.class = SOFT_ZERO};
	enum soft_order order = SOFT_UNORDERED;

	if (!x87_missing(x, 0))
		order = soft_compare(&x->env, x87_unpack(x, x87_get(x->cpu, 0)), zero, false);
	set_order(x, order);
}

/* SDM 2 "FXAM": C1 is the sign, of empty registers too. */
void x87_fxam(struct x87 *x)
{
	struct f80 raw = x87_get(x->cpu, 0);
	struct soft value = x87_unpack(x, raw);
	uint16_t cc;

	if (x87_empty(x, 0))
		cc = FSW_C3 | FSW_C0;
	else if (x->unsupported)
		cc = 0;
	else if (soft_is_nan(&value))
		cc = FSW_C0;
	else if (value.class == SOFT_INFINITY)
		cc = FSW_C2 | FSW_C0;
	else if (value.class == SOFT_ZERO)
		cc = FSW_C3;
	else
		cc = value.denormal ? FSW_C3 | FSW_C2 : FSW_C2;
	x->cc_written = FSW_CC;
	x->cc = cc | (raw.se & F80_SIGN ? FSW_C1 : 0);
}
