/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every direct handler against the general way: the same registers, flags and MXCSR for operands
 * drawn from where floating point changes its rules - zeros, denormals, the ends of the exponent's
 * range, exact results and halfway cases - in every rounding mode, with PE set and clear.
 */
#include "tests/l0/machine/interp/fixture.h"

#include "l0/machine/interp/simd/direct.h"

#define STATES 20000

static uint64_t seed = 1;

static uint64_t random64(void)
{
	uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* A number of the format: sign, an exponent from one of several neighbourhoods, a fraction with
 * more or fewer trailing zeros or ones. */
static uint64_t random_number(unsigned fraction, unsigned width)
{
	uint64_t random = random64(), top = (UINT64_C(1) << width) - 1, bias = top / 2;
	const uint64_t near[] = {0, 1, 2, top, top - 1, top - 2, bias, bias / 2, bias / 2 + bias};
	uint64_t exponent = near[random % 9] + (random >> 8 & 1 ? random >> 9 & 3 : 0);
	uint64_t bits = random64() & ((UINT64_C(1) << fraction) - 1);
	unsigned cut = (unsigned)(random >> 16) % (fraction + 1);

	if (random >> 24 & 1)
		exponent = bias + (random >> 32) % (fraction + 4);
	bits = random >> 25 & 3 ? bits >> cut << cut : bits | ((UINT64_C(1) << cut) - 1);
	return (random >> 28 & 1) << (fraction + width) | (exponent & top) << fraction | bits;
}

static union vec random_vector(bool doubles)
{
	union vec v;

	for (unsigned i = 0; i < 4; i++)
		v.d[i] = (uint32_t)random_number(23, 8);
	if (doubles)
		v.q[0] = random_number(52, 11), v.q[1] = random_number(52, 11);
	return v;
}

/* All exceptions masked but, now and then, PE; any rounding; flags that are there already. */
static uint32_t random_mxcsr(void)
{
	uint64_t random = random64();
	uint32_t rounding = random & 4 ? 0 : (uint32_t)random & 3;

	return 0x1f80 | rounding << 13 | (random >> 3 & 1 ? SOFT_PE : 0) |
	       (random >> 4 & 1 ? (uint32_t)(random >> 8) & SOFT_ALL : 0) |
	       (random >> 16 & 7 ? 0 : MXCSR_DAZ) | (random >> 20 & 7 ? 0 : MXCSR_FTZ);
}

HANDLER(stop)
{
	OP_LEAVE();
}

static bool run_direct(struct fixture *f, struct op *ops)
{
	OP_RUN(&f->cpu, ops);
	return true;
}

struct registers {
	union vec xmm[2];
	uint64_t gpr[2], flags;
	uint32_t mxcsr;
};

static struct registers read_registers(struct cpu *cpu)
{
	struct registers r = {
		.xmm = {*simd_xmm(cpu, 1), *simd_xmm(cpu, 2)},
		.gpr = {cpu->gpr[1], cpu->gpr[2]},
		.flags = cpu_rflags(cpu),
	};

	memcpy(&r.mxcsr, cpu->xsave_area + AREA_MXCSR, 4);
	return r;
}

static void write_registers(struct cpu *cpu, const struct registers *r)
{
	*simd_xmm(cpu, 1) = r->xmm[0];
	*simd_xmm(cpu, 2) = r->xmm[1];
	cpu->gpr[1] = r->gpr[0];
	cpu->gpr[2] = r->gpr[1];
	cpu_set_rflags(cpu, r->flags);
	memcpy(cpu->xsave_area + AREA_MXCSR, &r->mxcsr, 4);
}

static struct registers random_registers(void)
{
	bool doubles = random64() & 1;
	struct registers r = {
		.xmm = {random_vector(doubles), random_vector(doubles)},
		.gpr = {random64() >> (random64() & 63), random64() >> (random64() & 63)},
		.flags = random64() & RFLAGS_STATUS,
		.mxcsr = random_mxcsr(),
	};

	if (!(random64() & 7))
		r.xmm[1] = r.xmm[0];
	return r;
}

static void compare(struct fixture *f, const struct insn_info *info, struct op *ops)
{
	struct registers before = random_registers(), general, direct;

	ops->imm = (int32_t)(random64() & 0xff);
	write_registers(&f->cpu, &before);
	simd_execute(&f->cpu, ops);
	general = read_registers(&f->cpu);
	write_registers(&f->cpu, &before);
	assert_true(run_direct(f, ops));
	direct = read_registers(&f->cpu);
	if (!memcmp(&general, &direct, sizeof(direct)))
		return;
	fail_msg("%s (%s): xmm %016lx%016lx, %016lx%016lx, mxcsr %x: general %016lx%016lx %x, "
		 "direct %016lx%016lx %x",
		 info->row.mnemonic, info->row.encoding, before.xmm[0].q[1], before.xmm[0].q[0],
		 before.xmm[1].q[1], before.xmm[1].q[0], before.mxcsr, general.xmm[0].q[1],
		 general.xmm[0].q[0], general.mxcsr, direct.xmm[0].q[1], direct.xmm[0].q[0],
		 direct.mxcsr);
}

static void compare_row(struct fixture *f, unsigned row, uint8_t opsize)
{
	const struct insn_info *info = insn_info(row);
	struct op ops[2] = {{.fn = info->simd.direct->fn[VARIANT_REG],
			     .row = (uint16_t)row,
			     .opsize = opsize,
			     .addrsize = 8,
			     .reg = 1,
			     .rm = 2},
			    {.fn = stop}};

	if (!ops->fn || info->mod == MOD_MEMORY)
		return;
	for (unsigned i = 0; i < STATES; i++)
		compare(f, info, ops);
}

static void test_all_rows(void **state)
{
	struct fixture *f = fixture_new("skylake,+mmx,+sse4.2");
	unsigned rows = 0;

	assert_true(blocks_create(&f->cpu));
	f->cpu.cr0 = CR0_PE;
	f->cpu.cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
	f->cpu.efer = EFER_LMA;
	f->cpu.seg[SEG_CS].ar = AR_L;
	f->cpu.budget = 1;
	for (unsigned row = 0; row < insn_row_count(); row++) {
		if (!insn_info(row)->simd.direct)
			continue;
		rows++;
		compare_row(f, row, 4);
		compare_row(f, row, 8);
	}
	assert_true(rows > 150);
	blocks_destroy(&f->cpu);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
