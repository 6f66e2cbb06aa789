/* SPDX-License-Identifier: BSD-2-Clause
 *
 * x87 kernels that load, store, exchange and change signs; constants; integers and packed BCD.
 */
#include "l0/machine/interp/x87/x87.h"

#include "l0/machine/interp/flags.h"

/* ---- loads ---- */

/* Register and m80fp: bits as they are, NaNs and unsupported encodings too. */
void x87_fld_raw(struct x87 *x)
{
	struct f80 value = x->memory;

	if (x->info->operand == X87_STI) {
		value = x87_get(x->cpu, x87_sti(x));
		if (x87_empty(x, 7) && x87_missing(x, x87_sti(x)))
			value = F80_INDEFINITE;
	}
	x87_push(x, value);
}

/* A denormal is normalised and loaded even if its exception is not masked: silicon's way. */
void x87_fld(struct x87 *x)
{
	x->push_denormal = true;
	if (x87_empty(x, 7))
		x87_push(x, x87_pack(soft_convert(&x->env, &x87_extended, x87_operand(x))));
	else
		x87_push(x, F80_INDEFINITE);
}

/* Constants to 128 bits; loaded rounded by RC without an exception, SDM 2 "FLD1/FLDL2T/...". */
static void push_constant(struct x87 *x, int32_t exp, uint64_t high, uint64_t low)
{
	struct soft_env env = x->env;

	x87_push(x, x87_pack(soft_round(&env, &x87_extended, false, exp,
					(unsigned __int128)high << 64 | low)));
}

void x87_fld1(struct x87 *x)
{
	push_constant(x, 0, F80_INTEGER, 0);
}

void x87_fldl2t(struct x87 *x)
{
	push_constant(x, 1, 0xd49a784bcd1b8afe, 0x492bf6ff4dafdb4d);
}

void x87_fldl2e(struct x87 *x)
{
	push_constant(x, 0, 0xb8aa3b295c17f0bb, 0xbe87fed0691d3e88);
}

void x87_fldpi(struct x87 *x)
{
	push_constant(x, 1, 0xc90fdaa22168c234, 0xc4c6628b80dc1cd1);
}

void x87_fldlg2(struct x87 *x)
{
	push_constant(x, -2, 0x9a209a84fbcff798, 0x8f8959ac0b7c9178);
}

void x87_fldln2(struct x87 *x)
{
	push_constant(x, -1, 0xb17217f7d1cf79ab, 0xc9e3b39803f2f6af);
}

void x87_fldz(struct x87 *x)
{
	x87_push(x, (struct f80){0, 0});
}

/* ---- stores ---- */

/* Register and m80fp. */
void x87_fst_raw(struct x87 *x)
{
	struct f80 value = x87_missing(x, 0) ? F80_INDEFINITE : x87_get(x->cpu, 0);

	x->out = value;
	if (x->info->operand == X87_STI)
		x87_put_raw(x, x87_sti(x), value);
}

/* An empty register is not found out. */
void x87_fstpnce(struct x87 *x)
{
	if (!x87_empty(x, 0))
		x87_put_raw(x, x87_sti(x), x87_get(x->cpu, 0));
}

static void store_format(struct x87 *x, const struct soft_format *format)
{
	struct soft value = x87_unpack(x, x87_get(x->cpu, 0));

	value.denormal = false; /* no #D here */
	if (x87_missing(x, 0) || x->unsupported)
		value = soft_invalid(&x->env);
	else
		value = soft_convert(&x->env, format, value);
	if (!(x->env.flags & ~x->env.masked & (SOFT_OE | SOFT_UE))) /* else nothing is stored */
		x->out.sig = soft_pack(format, &value);
}

void x87_fst32(struct x87 *x)
{
	store_format(x, &soft_f32);
}

void x87_fst64(struct x87 *x)
{
	store_format(x, &soft_f64);
}

static void store_integer(struct x87 *x, enum soft_rounding rounding)
{
	static const uint8_t bits[] = {[X87_I16] = 16, [X87_I32] = 32, [X87_I64] = 64};
	struct soft value = x87_unpack(x, x87_get(x->cpu, 0));

	if (x87_missing(x, 0))
		value.class = SOFT_QNAN;
	x->out.sig = (uint64_t)soft_to_integer(&x->env, value, bits[x->info->operand], rounding);
}

void x87_fist(struct x87 *x)
{
	store_integer(x, x->env.rounding);
}

void x87_fisttp(struct x87 *x)
{
	store_integer(x, SOFT_TO_ZERO);
}

#define BCD_LIMIT UINT64_C(1000000000000000000)

void x87_fbstp(struct x87 *x)
{
	struct soft value = x87_unpack(x, x87_get(x->cpu, 0));
	int64_t integer;
	uint64_t rest;

	if (x87_missing(x, 0))
		value.class = SOFT_QNAN;
	integer = soft_to_integer(&x->env, value, 64, x->env.rounding);
	rest = integer < 0 ? -(uint64_t)integer : (uint64_t)integer;
	if (rest >= BCD_LIMIT || (x->env.flags & SOFT_IE)) {
		x->env.flags = SOFT_IE;
		x->out = F80_INDEFINITE;
		return;
	}
	x->out = (struct f80){0, value.sign ? F80_SIGN : 0};
	for (unsigned shift = 0; shift < 64; shift += 4, rest /= 10)
		x->out.sig |= rest % 10 << shift;
	x->out.se |= (uint16_t)(rest / 10 << 4 | rest % 10);
}

/* ---- between registers ---- */

/* Empty ones take part as the indefinite. */
void x87_fxch(struct x87 *x)
{
	unsigned i = x87_sti(x);
	struct f80 first = x87_get(x->cpu, 0), second = x87_get(x->cpu, i);

	if (x87_missing(x, 0))
		first = F80_INDEFINITE;
	if (x87_missing(x, i))
		second = F80_INDEFINITE;
	if (x->env.flags & ~x->env.masked)
		return;
	x87_set(x->cpu, i, first);
	x87_tag(x->cpu, i, true);
	x87_put_raw(x, 0, second);
}

static void move_if(struct x87 *x, bool condition)
{
	unsigned i = x87_sti(x);

	x->cc_written = x87_empty(x, i) || x87_empty(x, 0) ? FSW_C1 : 0;
	if (x87_missing(x, i) || x87_missing(x, 0))
		x87_put_raw(x, 0, F80_INDEFINITE);
	else if (condition)
		x87_put_raw(x, 0, x87_get(x->cpu, i));
}

#define FCMOV(name, flags)                                                                         \
	void x87_fcmov##name(struct x87 *x)                                                        \
	{                                                                                          \
		move_if(x, cc_flags(x->cpu) & (flags));                                            \
	}                                                                                          \
	void x87_fcmovn##name(struct x87 *x)                                                       \
	{                                                                                          \
		move_if(x, !(cc_flags(x->cpu) & (flags)));                                         \
	}
FCMOV(b, RFLAGS_CF)
FCMOV(e, RFLAGS_ZF)
FCMOV(be, RFLAGS_CF | RFLAGS_ZF)
FCMOV(u, RFLAGS_PF)

/* NaNs and unsupported encodings are none of their business. */
static void change_sign(struct x87 *x, uint16_t keep, uint16_t flip)
{
	struct f80 value = x87_get(x->cpu, 0);

	value.se = (value.se & keep) ^ flip;
	x87_put_raw(x, 0, x87_missing(x, 0) ? F80_INDEFINITE : value);
}

void x87_fchs(struct x87 *x)
{
	change_sign(x, 0xffff, F80_SIGN);
}

void x87_fabs(struct x87 *x)
{
	change_sign(x, F80_EXP, 0);
}

/* ---- the stack itself ---- */

void x87_ffree(struct x87 *x)
{
	x87_tag(x->cpu, x87_sti(x), false);
}

void x87_fincstp(struct x87 *x)
{
	x87_turn(x->cpu, 1);
}

void x87_fdecstp(struct x87 *x)
{
	x87_turn(x->cpu, -1);
}

void x87_fnop(struct x87 *x)
{
	x->cc_written = 0;
}
