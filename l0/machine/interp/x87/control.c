/* SPDX-License-Identifier: BSD-2-Clause
 *
 * x87 kernels of control: words, initialisation, and the environment in its four memory layouts,
 * SDM 1 "Saving the x87 FPU's State with FSTENV/FNSTENV and FSAVE/FNSAVE".
 */
#include "l0/machine/interp/x87/x87.h"

#include "l0/machine/interp/profile.h"

#define ENV_WORDS 7
#define REGISTER_SIZE 10

/* ---- words ---- */

static void init_state(struct cpu *cpu)
{
	memset(cpu->xsave_area, 0, 24);
	x87_set_word(cpu, X87_FCW, FCW_INIT);
	cpu->x87_cs = cpu->x87_ds = 0;
}

/* TOP becomes 0: the image is turned so that physical registers stay where they are. */
static void init_turned(struct cpu *cpu)
{
	while (x87_word(cpu, X87_FSW) & FSW_TOP)
		x87_turn(cpu, 1);
	init_state(cpu);
}

void x87_fninit(struct x87 *x)
{
	init_turned(x->cpu);
}

void x87_fnclex(struct x87 *x)
{
	x87_set_word(x->cpu, X87_FSW,
		     (uint16_t)(x->fsw & ~(SOFT_ALL | FSW_SF | FSW_ES | FSW_B)));
}

void x87_fldcw(struct x87 *x)
{
	uint16_t fcw = (uint16_t)mem_read(x->cpu, x->op->seg, op_ea(x->cpu, x->op), 2);

	x87_set_word(x->cpu, X87_FCW, fcw);
	x87_loaded(x->cpu);
}

void x87_fnstcw(struct x87 *x)
{
	mem_write(x->cpu, x->op->seg, op_ea(x->cpu, x->op), 2, x->fcw);
}

void x87_fnstsw(struct x87 *x)
{
	mem_write(x->cpu, x->op->seg, op_ea(x->cpu, x->op), 2, x->fsw);
}

void x87_fnstsw_ax(struct x87 *x)
{
	reg_write(x->cpu, x->op, REG_RAX, 2, x->fsw);
}

/* FENI, FDISI, FSETPM of older parts. */
void x87_legacy_nop(struct x87 *x)
{
}

/* ---- tags ---- */

enum { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

static unsigned tag_of(struct f80 value)
{
	unsigned exp = value.se & F80_EXP;

	if (!exp && !value.sig)
		return TAG_ZERO;
	return exp == 0 || exp == F80_EXP || x87_is_unsupported(value) ? TAG_SPECIAL : TAG_VALID;
}

/* Two bits for each physical register. */
static uint16_t full_tags(const struct cpu *cpu)
{
	unsigned top = x87_top(x87_word(cpu, X87_FSW)), tags = 0;

	for (unsigned physical = 0; physical < 8; physical++) {
		bool valid = cpu->xsave_area[X87_FTW] >> physical & 1;

		tags |= (valid ? tag_of(x87_get(cpu, (physical - top) & 7)) : TAG_EMPTY)
			<< 2 * physical;
	}
	return (uint16_t)tags;
}

static uint8_t abridged(uint16_t tags)
{
	uint8_t result = 0;

	for (unsigned physical = 0; physical < 8; physical++)
		if ((tags >> 2 * physical & 3) != TAG_EMPTY)
			result |= (uint8_t)(1u << physical);
	return result;
}

/* ---- environment ---- */

struct environment {
	uint16_t fcw, fsw, tags, fop, fcs, fds;
	uint32_t fip, fdp;
};

static uint64_t env_address(struct x87 *x, unsigned size, unsigned access)
{
	uint64_t linear = seg_linear(x->cpu, x->op->seg, op_ea(x->cpu, x->op), size, access);

	lin_probe(x->cpu, linear, size, access);
	return linear;
}

static bool wide(const struct x87 *x)
{
	return x->op->opsize != 2;
}

static unsigned env_size(const struct x87 *x)
{
	return ENV_WORDS * (wide(x) ? 4 : 2);
}

/* The seven words or doublewords. In the real-address layouts the pointers are linear addresses of
 * 32 or 20 bits, their high parts above bit 12. Reserved high halves are ones, as silicon has
 * them. */
static void encode(const struct x87 *x, const struct environment *e, uint32_t out[ENV_WORDS])
{
	bool real = cpu_real_or_vm86(x->cpu);
	uint32_t fip = real ? ((uint32_t)e->fcs << 4) + e->fip : e->fip;
	uint32_t fdp = real ? ((uint32_t)e->fds << 4) + e->fdp : e->fdp;

	out[0] = e->fcw | 0xffff0000;
	out[1] = e->fsw | 0xffff0000;
	out[2] = e->tags | 0xffff0000;
	out[3] = real ? (fip & 0xffff) | 0xffff0000 : fip;
	out[4] = real ? fip >> 16 << 12 | e->fop : e->fcs | (wide(x) ? (uint32_t)e->fop << 16 : 0);
	out[5] = real ? (fdp & 0xffff) | 0xffff0000 : fdp;
	out[6] = real ? fdp >> 16 << 12 : e->fds | 0xffff0000;
}

static void decode(const struct x87 *x, const uint32_t in[ENV_WORDS], struct environment *e)
{
	bool real = cpu_real_or_vm86(x->cpu);

	*e = (struct environment){.fcw = (uint16_t)in[0],
				  .fsw = (uint16_t)in[1],
				  .tags = (uint16_t)in[2],
				  .fip = in[3],
				  .fdp = in[5]};
	if (real) {
		e->fip = (in[3] & 0xffff) | (in[4] >> 12 & 0xffff) << 16;
		e->fdp = (in[5] & 0xffff) | (in[6] >> 12 & 0xffff) << 16;
		e->fop = in[4] & 0x7ff;
		return;
	}
	e->fcs = (uint16_t)in[4];
	e->fds = (uint16_t)in[6];
	e->fop = wide(x) ? in[4] >> 16 & 0x7ff : 0;
}

static void store_environment(struct x87 *x, uint64_t linear)
{
	struct cpu *cpu = x->cpu;
	struct environment e = {.fcw = x->fcw,
				.fsw = x->fsw,
				.tags = full_tags(cpu),
				.fop = x87_word(cpu, X87_FOP),
				.fcs = cpu->x87_cs,
				.fds = cpu->x87_ds};
	uint32_t words[ENV_WORDS];
	unsigned size = wide(x) ? 4 : 2;

	memcpy(&e.fip, cpu->xsave_area + X87_FIP, 4);
	memcpy(&e.fdp, cpu->xsave_area + X87_FDP, 4);
	encode(x, &e, words);
	for (unsigned i = 0; i < ENV_WORDS; i++)
		lin_write(cpu, linear + i * size, size, words[i], MEM_WRITE);
}

static void read_environment(struct x87 *x, uint64_t linear, struct environment *e)
{
	uint32_t words[ENV_WORDS];
	unsigned size = wide(x) ? 4 : 2;

	for (unsigned i = 0; i < ENV_WORDS; i++)
		words[i] = (uint32_t)lin_read(x->cpu, linear + i * size, size, MEM_READ);
	decode(x, words, e);
}

/* TOP moves, physical registers do not. */
static void load_environment(struct x87 *x, const struct environment *e)
{
	struct cpu *cpu = x->cpu;
	bool selectors = !cpu_has(cpu->profile, FCS_FDS);
	uint64_t fip = e->fip, fdp = e->fdp;

	while (x87_top(x87_word(cpu, X87_FSW)) != x87_top(e->fsw))
		x87_turn(cpu, 1);
	x87_set_word(cpu, X87_FCW, e->fcw);
	x87_set_word(cpu, X87_FSW, e->fsw);
	cpu->xsave_area[X87_FTW] = abridged(e->tags);
	x87_set_word(cpu, X87_FOP, e->fop);
	memcpy(cpu->xsave_area + X87_FIP, &fip, 8);
	memcpy(cpu->xsave_area + X87_FDP, &fdp, 8);
	cpu->x87_cs = selectors ? e->fcs : 0;
	cpu->x87_ds = selectors ? e->fds : 0;
	x87_loaded(cpu);
}

/* Masks everything once it is stored. */
void x87_fnstenv(struct x87 *x)
{
	store_environment(x, env_address(x, env_size(x), MEM_WRITE));
	x87_set_word(x->cpu, X87_FCW, x->fcw | SOFT_ALL);
	x87_loaded(x->cpu);
}

void x87_fldenv(struct x87 *x)
{
	struct environment e;

	read_environment(x, env_address(x, env_size(x), MEM_READ), &e);
	load_environment(x, &e);
}

/* ---- environment and registers ---- */

void x87_fnsave(struct x87 *x)
{
	unsigned size = env_size(x);
	uint64_t linear = env_address(x, size + 8 * REGISTER_SIZE, MEM_WRITE);

	store_environment(x, linear);
	for (unsigned i = 0; i < 8; i++) {
		struct f80 value = x87_get(x->cpu, i);
		uint64_t at = linear + size + i * REGISTER_SIZE;

		lin_write(x->cpu, at, 8, value.sig, MEM_WRITE);
		lin_write(x->cpu, at + 8, 2, value.se, MEM_WRITE);
	}
	init_turned(x->cpu);
}

void x87_frstor(struct x87 *x)
{
	unsigned size = env_size(x);
	uint64_t linear = env_address(x, size + 8 * REGISTER_SIZE, MEM_READ);
	struct environment e;
	struct f80 values[8];

	read_environment(x, linear, &e);
	for (unsigned i = 0; i < 8; i++) {
		uint64_t at = linear + size + i * REGISTER_SIZE;

		values[i].sig = lin_read(x->cpu, at, 8, MEM_READ);
		values[i].se = (uint16_t)lin_read(x->cpu, at + 8, 2, MEM_READ);
	}
	load_environment(x, &e);
	for (unsigned i = 0; i < 8; i++)
		x87_set(x->cpu, i, values[i]);
}
