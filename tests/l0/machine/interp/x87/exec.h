/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Executes x87 instructions given as bytes on a CPU with memory and descriptor tables.
 */
#ifndef TESTS_L0_MACHINE_INTERP_X87_EXEC_H
#define TESTS_L0_MACHINE_INTERP_X87_EXEC_H

#include "tests/l0/machine/interp/protect.h"

#include "l0/machine/interp/decode_insn.h"

/* A CPU in `mode` of the part `spec`, its x87 as FNINIT leaves it. */
static inline struct fixture *x87_new(enum fixture_mode mode, const char *spec)
{
	struct fixture *f = fixture_new(mode);
	char error[128];

	assert_true(cpu_profile_parse(spec, &f->profile, error, sizeof(error)));
	f->cpu.cr4 |= CR4_OSFXSR;
	memcpy(f->cpu.xsave_area, "\x7f\x03", 2);
	return f;
}

/* Executes one instruction; the vector that it raised, or NO_FAULT. */
static inline unsigned run_bytes(struct fixture *f, const char *bytes, unsigned length)
{
	uint8_t code[15] = {0};

	memcpy(code, bytes, length);
	f->cpu.blocks->env.mode = decode_mode_key(&f->cpu);
	memset(f->cpu.blocks->env.announced, true, sizeof(f->cpu.blocks->env.announced));
	f->op = (struct op){0};
	assert_int_equal(decode_insn(&f->cpu.blocks->env, code, sizeof(code), &f->op), DECODE_OK);
	assert_int_equal(f->op.len, length);
	return call(f, insn_info(f->op.row)->complex);
}
#define RUN(f, bytes) run_bytes(f, bytes, sizeof(bytes) - 1)
#define OK(f, bytes) assert_int_equal(RUN(f, bytes), NO_FAULT)

static inline uint16_t status(const struct fixture *f)
{
	return x87_word(&f->cpu, X87_FSW);
}

static inline void set_control(struct fixture *f, uint16_t fcw)
{
	x87_set_word(&f->cpu, X87_FCW, fcw);
}

static inline void assert_st(const struct fixture *f, unsigned i, uint16_t se, uint64_t sig)
{
	struct f80 value = x87_get(&f->cpu, i);

	if (value.se != se || value.sig != sig)
		fail_msg("ST(%u) is %04x %016lx, not %04x %016lx", i, value.se, value.sig, se, sig);
}

#endif
