/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Random code that goes round and round, so that its branches are linked and their handlers keep
 * what nobody looks at to themselves: however execution is cut, registers and flags at the cuts are
 * those of single steps, and so they are after code has been replaced by other code.
 * ABYME_LOOPS sets how many programs (default 300).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "l0/machine/interp/block.h"
#include "tests/l0/machine/interp/whole.h"

#define RAM_SIZE (UINT64_C(16) << 20)
#define CODE UINT64_C(0x100000)
#define STACK UINT64_C(0x90000)
#define PLACES 8
#define PLACE_SIZE 64
#define INSNS UINT64_C(2000)
#define REPLACED UINT64_C(200) /* instructions after which a place gets other code */

static struct machine machine;

static uint64_t random64(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* ---- programs ---- */

/* Encodings without their REX prefix, whose W is random where it is 0 or 1; of a ModRM byte with
 * two registers the lower six bits are random, of one with an opcode extension the lower three. */
static const struct encoding {
	uint8_t size, bytes[3], modrm,
	    imm;     /* modrm: 0xff: two registers, else its upper five bits */
	int8_t wide; /* -1: either */
} bodies[] = {
    {1, {0x01}, 0xff, 0, -1},	    {1, {0x29}, 0xff, 0, -1},
    {1, {0x31}, 0xff, 0, -1},	    {1, {0x89}, 0xff, 0, -1},
    {1, {0x21}, 0xff, 0, -1},	    {1, {0x09}, 0xff, 0, -1},
    {1, {0x83}, 0xc0, 1, -1},	    {1, {0x83}, 0xe8, 1, -1},
    {1, {0x83}, 0xe0, 1, -1},	    {1, {0xc1}, 0xe8, 1, -1},
    {1, {0xc1}, 0xe0, 1, -1},	    {1, {0xc1}, 0xc0, 1, -1},
    {1, {0xc1}, 0xc8, 1, -1},	    {2, {0x0f, 0xaf}, 0xff, 0, -1},
    {2, {0x0f, 0xb7}, 0xff, 0, 0},  {1, {0x11}, 0xff, 0, -1},
    {1, {0x19}, 0xff, 0, -1},	    {2, {0x0f, 0x92}, 0xc0, 0, 0},
    {2, {0x0f, 0x4c}, 0xff, 0, -1}, {1, {0xff}, 0xc0, 0, -1},
    {2, {0x8d, 0x44}, 0, 2, 1}, /* lea rax, [base + index * scale + disp8] */
    {2, {0x8d, 0x49}, 0, 1, 1}, /* lea rcx, [r9 + disp8] */
};
static const struct encoding compares[] = {
    {1, {0x39}, 0xff, 0, -1}, {1, {0x85}, 0xff, 0, -1}, {1, {0x83}, 0xf8, 1, -1},
    {1, {0x83}, 0xe8, 1, -1}, {1, {0x83}, 0xe0, 1, -1}, {1, {0x84}, 0xff, 0, 0},
    {1, {0x80}, 0xf8, 1, 0},  {1, {0xf6}, 0xc0, 1, 0},	{1, {0xff}, 0xc8, 0, -1},
    {1, {0x38}, 0xff, 0, 0},
};
#define PICK(array) (array)[random64(seed) % (sizeof(array) / sizeof((array)[0]))]

/* RSP is out of reach: registers are RAX to RBX and R8 to R11. */
static unsigned emit(uint8_t *to, struct encoding e, uint64_t *seed)
{
	unsigned at = 0;
	uint64_t bits = random64(seed);

	to[at++] = (uint8_t)(0x40 |
			     (e.wide < 0 ? bits >> 60 & 8
			      : e.wide	 ? 8u
					 : 0u) |
			     (bits >> 50 & 5));
	memcpy(to + at, e.bytes, e.size);
	at += e.size;
	if (e.modrm == 0xff)
		to[at++] = (uint8_t)(0xc0 | (bits >> 8 & 0x1b));
	else if (e.modrm)
		to[at++] = (uint8_t)(e.modrm | (bits >> 8 & 3));
	if (e.imm == 2) /* a SIB byte goes before */
		to[at++] = (uint8_t)(bits >> 16 & 0xdb);
	if (e.imm)
		to[at++] = (uint8_t)(bits >> 24 & 0x1f);
	return at;
}

static unsigned emit_jump(uint8_t *to, unsigned at, unsigned place, uint64_t *seed)
{
	unsigned target = (unsigned)(random64(seed) % PLACES) * PLACE_SIZE;
	uint32_t rel = target - (place * PLACE_SIZE + at + 4);

	memcpy(to + at, &rel, 4);
	return at + 4;
}

static void make_place(uint8_t *to, unsigned place, uint64_t *seed)
{
	unsigned at = 0, count = (unsigned)(random64(seed) % 4);

	for (unsigned i = 0; i < count; i++)
		at += emit(to + at, PICK(bodies), seed);
	at += emit(to + at, PICK(compares), seed);
	to[at++] = 0x0f;
	to[at++] = (uint8_t)(0x80 | random64(seed) % 16);
	at = emit_jump(to, at, place, seed);
	if (random64(seed) & 3)
		at += emit(to + at, PICK(bodies), seed);
	to[at++] = 0xe9;
	at = emit_jump(to, at, place, seed);
	assert_true(at <= PLACE_SIZE);
}

/* ---- runs ---- */

static void put_place(unsigned place, uint64_t *seed)
{
	uint8_t code[PLACE_SIZE] = {0};

	make_place(code, place, seed);
	whole_put(&machine, CODE + place * PLACE_SIZE, code, sizeof(code));
	blocks_written(machine.cpu, CODE + place * PLACE_SIZE, sizeof(code));
}

static uint64_t mix(uint64_t digest, uint64_t value)
{
	return (digest ^ value) * UINT64_C(0x9e3779b97f4a7c15) ^ digest >> 29;
}

static void run_to(uint64_t insns)
{
	machine.max_insns = insns;
	machine.stop = STOP_NONE;
	interp_cpu_ops.run(machine.cpu);
	assert_int_equal(machine.stop, STOP_INSN_LIMIT);
	assert_int_equal(cpu_retired(machine.cpu), insns);
}

static uint64_t state_now(void)
{
	uint64_t digest = mix(cpu_now(machine.cpu), cpu_rflags(machine.cpu));

	for (unsigned reg = 0; reg < REG_COUNT; reg++)
		digest = mix(digest, machine.cpu->gpr[reg]);
	return mix(digest, cpu_rip(machine.cpu));
}

/* The program of `number`, looked at where `cuts` says: the state at those, from single steps or
 * not. */
static uint64_t run_program(uint64_t number, unsigned longest, bool stepped)
{
	uint64_t seed = number, cuts = number * 2 + 1, digest = 0;
	uint64_t base = cpu_retired(machine.cpu), next = 0;

	for (unsigned place = 0; place < PLACES; place++)
		put_place(place, &seed);
	for (unsigned reg = 0; reg < REG_COUNT; reg++)
		if (reg != REG_RSP)
			machine.cpu->gpr[reg] = random64(&seed) >> (random64(&seed) & 63);
	cpu_rip(machine.cpu) = CODE;
	cpu_set_rflags(machine.cpu, RFLAGS_FIXED1);
	for (uint64_t at = 0; at < INSNS; at = next) {
		next = at + 1 + random64(&cuts) % longest;
		for (uint64_t to = stepped ? at + 1 : next; to <= next; to++)
			run_to(base + to);
		if (next / REPLACED != at / REPLACED) {
			put_place((unsigned)(random64(&seed) % PLACES), &seed);
			cpu_rip(machine.cpu) = CODE; /* not into the middle of something */
		}
		digest = mix(digest, mix(state_now(), cpu_now(machine.cpu)));
	}
	return digest;
}

/* Time goes on between runs, so that each begins with a machine of its own. */
static uint64_t run_fresh(uint64_t number, unsigned longest, bool stepped)
{
	uint64_t digest;

	whole_create(&machine, RAM_SIZE);
	whole_boot_long64(&machine, RAM_SIZE, CODE, STACK);
	digest = run_program(number, longest, stepped);
	machine_free(&machine);
	return digest;
}

static void test_loops(void **state)
{
	const char *text = getenv("ABYME_LOOPS");
	unsigned long count = text ? strtoul(text, NULL, 0) : 300;
	static const unsigned longest[] = {3, 40, 700};

	for (unsigned long i = 0; i < count; i++) {
		unsigned cut = longest[i % 3];

		if (run_fresh(i, cut, false) != run_fresh(i, cut, true))
			fail_msg("program %lu, cut after at most %u instructions", i, cut);
	}
}

/* 0: add rax, 1; cmp al, 0x80; jb 20; xor edi, edi; jmp 0 ... 20: xor esi, esi; nop; jmp 0, which
 * becomes 20: adc edx, esi ..., of the same length: the compare's flags are wanted after all. */
static uint64_t run_reader(bool stepped)
{
	static const uint8_t loop[] = {0x48, 0x83, 0xc0, 0x01, 0x3c, 0x80,
				       0x72, 0x18, 0x31, 0xff, 0xeb, 0xf4};
	static const uint8_t before[] = {0x31, 0xf6, 0x90, 0xeb, 0xdb}, after[] = {0x11, 0xf2};
	uint64_t digest;

	whole_create(&machine, RAM_SIZE);
	whole_boot_long64(&machine, RAM_SIZE, CODE, STACK);
	whole_put(&machine, CODE, loop, sizeof(loop));
	whole_put(&machine, CODE + 0x20, before, sizeof(before));
	run_to(6000);
	whole_put(&machine, CODE + 0x20, after, sizeof(after));
	blocks_written(machine.cpu, CODE + 0x20, sizeof(after));
	for (uint64_t to = stepped ? 6001 : 9000; to <= 9000; to++)
		run_to(to);
	assert_true(machine.cpu->gpr[REG_RDX] > 200);
	digest = state_now();
	machine_free(&machine);
	return digest;
}

static void test_reader_moves_in(void **state)
{
	assert_int_equal(run_reader(false), run_reader(true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_loops),
	    cmocka_unit_test(test_reader_moves_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
