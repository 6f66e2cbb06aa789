/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Random x87 states; x87_gen.h.
 */
#include "tests/oracle/x87_gen.h"

#include <string.h>

#include "l0/machine/interp/insn_table.h"
#include "tests/oracle/insn_gen.h"

static uint16_t choose_exponent(uint64_t random)
{
	static const int16_t near[] = {127,  -126, -149, 1023, -1022, -1074,
				       15, 31,  62,   63,   64, 0};
	int spread = (int)(random >> 8 & 7) - 3;

	switch (random & 15) {
	case 0:
		return 0;
	case 1:
		return 0x7fff;
	case 2:
		return 1 + (random >> 8 & 63);
	case 3:
		return 0x7ffe - (random >> 8 & 63);
	case 4:
		return random >> 8 & 0x7fff;
	case 5:
		return 16383 / 2 + spread;
	case 6:
		return 16383 + 16383 / 2 + spread;
	case 7:
	case 8:
		return 16383 + near[(random >> 16) % (sizeof(near) / sizeof(near[0]))] + spread;
	case 9:
		return 16383 + (random >> 8 & 127) - 64;
	default:
		return 16383 + spread;
	}
}

static uint64_t choose_significand(uint64_t random, uint64_t sig)
{
	unsigned keep = random >> 24 & 63;
	uint64_t low = (UINT64_C(1) << keep) - 1;

	switch (random >> 16 & 7) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX >> 1;
	case 2:
		return sig & ~low; /* short fractions */
	case 3:
		return (sig & ~low) | (low / 2 + 1); /* a tie at some bit */
	case 4:
		return (sig | low) - (random >> 32 & 1);
	case 5:
		return sig & 15;
	default:
		return sig;
	}
}

static void put_register(uint8_t *at, uint64_t *seed)
{
	uint64_t random = insn_gen_random(seed), sig = insn_gen_random(seed);
	uint16_t se = choose_exponent(random);

	sig = choose_significand(random, sig) & (UINT64_MAX >> 1);
	/* the integer bit as it should be, or unsupported, or a pseudo-denormal */
	if ((se != 0) != !(random >> 40 & 31))
		sig |= UINT64_C(1) << 63;
	se |= random >> 63 << 15;
	memcpy(at, &sig, 8);
	memcpy(at + 8, &se, 2);
}

void x87_gen_state(const char *mnemonic, uint8_t *fx, uint64_t *seed)
{
	uint64_t random = insn_gen_random(seed);
	uint16_t fcw = 0x40 | (random & 0xf00), fsw = random >> 16 & 0x7f00;

	fcw |= random >> 32 & 7 ? 0x3f : random >> 36 & 0x3f;
	if (!(random >> 42 & 3))
		fsw |= random >> 44 & 0x3f & (random >> 50 & 7 ? fcw : 0x3f);
	if (fsw & ~fcw & 0x3f)
		fsw |= 0x8080;
	memcpy(fx, &fcw, 2);
	memcpy(fx + 2, &fsw, 2);
	random = insn_gen_random(seed);
	fx[4] = random & 3 ? 0xff : random >> 8;
	/* what pushes wants an empty ST(7), mostly */
	if (!strncmp(mnemonic, "FLD", 3) || !strncmp(mnemonic, "FILD", 4) ||
	    !strncmp(mnemonic, "FBLD", 4) || !strcmp(mnemonic, "FXTRACT") ||
	    !strcmp(mnemonic, "FPTAN") || !strcmp(mnemonic, "FSINCOS"))
		fx[4] &= ~(1u << (((fsw >> 11) + 7) & 7));
	for (unsigned i = 0; i < 8; i++) {
		memset(fx + 32 + 16 * i, 0, 16);
		put_register(fx + 32 + 16 * i, seed);
	}
}

static void put_bcd(uint8_t *at, uint64_t random)
{
	for (unsigned i = 0; i < 9; i++, random /= 100)
		at[i] = (uint8_t)(random % 10 | random / 10 % 10 << 4);
	at[9] = (uint8_t)(random & 1 ? 0x80 : 0);
}

static void put_operand(uint8_t *at, unsigned format, uint64_t *seed)
{
	uint64_t value;

	switch (format) {
	case X87_F32:
		value = insn_gen_float(seed, 23, 127);
		memcpy(at, &value, 4);
		break;
	case X87_F64:
		value = insn_gen_float(seed, 52, 1023);
		memcpy(at, &value, 8);
		break;
	case X87_BCD:
		put_bcd(at, insn_gen_random(seed));
		break;
	case X87_I16:
	case X87_I32:
	case X87_I64:
		value = insn_gen_integer(seed);
		memcpy(at, &value, 8);
		break;
	default:
		put_register(at, seed);
		break;
	}
}

void x87_gen_memory(const struct insn_row *row, uint8_t *at, uint64_t *seed)
{
	const struct insn_info *info = (const struct insn_info *)row; /* its first member */

	put_operand(at, info->x87.operand, seed);
}
