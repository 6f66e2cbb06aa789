/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Intel PT over random control flow: conditional branches, calls and jumps of every kind, returns
 * that match and that do not, exceptions, software interrupts, transactions, timer interrupts, with
 * random options. ABYME_PT sets how many programs (default 150).
 */
#include "tests/l0/machine/interp/pt/traced.h"

#include <intel-pt.h>

#define FUNCTIONS 12
#define FUNCTION_SIZE 0x400
#define TIMER_VECTOR 0x60
#define X2APIC_LVT_TIMER 0x832
#define X2APIC_INITIAL_COUNT 0x838
#define X2APIC_DIVIDE 0x83e
#define X2APIC_SPURIOUS 0x80f

static uint64_t seed;
static uint8_t code[FUNCTIONS + 1][FUNCTION_SIZE];
static unsigned used;
static uint64_t timer;

static uint64_t random64(void)
{
	uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void emit(uint8_t *f, const char *bytes, unsigned count)
{
	assert_true(used + count < FUNCTION_SIZE);
	memcpy(f + used, bytes, count);
	used += count;
}
#define EMIT(f, bytes) emit(f, bytes, sizeof(bytes) - 1)

static void emit32(uint8_t *f, uint64_t value)
{
	uint32_t low = (uint32_t)value;

	emit(f, (const char *)&low, 4);
}

static uint64_t function_at(unsigned i)
{
	return PT_CODE + (uint64_t)i * FUNCTION_SIZE;
}

/* A displacement, which ends the instruction, to `to` from function i. */
static void emit_relative(uint8_t *f, unsigned i, uint64_t to)
{
	emit32(f, to - (function_at(i) + used + 4));
}

/* Mixes RAX: imul rax,rax,odd; add rax,imm; ror rax,13 */
static void mix(uint8_t *f)
{
	EMIT(f, "\x48\x69\xc0");
	emit32(f, random64() | 1);
	EMIT(f, "\x48\x05");
	emit32(f, random64() & 0x7fffffff);
	EMIT(f, "\x48\xc1\xc8\x0d");
}

/* test al,bit; jcc over a nop or two */
static void conditional(uint8_t *f)
{
	uint8_t bit = (uint8_t)(1u << (random64() & 7));

	EMIT(f, "\xa8");
	emit(f, (const char *)&bit, 1);
	if (random64() & 1)
		EMIT(f, "\x74\x02\x90\x90");
	else
		EMIT(f, "\x0f\x85\x01\0\0\0\x90");
}

/* mov ecx,n; 1: nop; loop 1b, or dec ecx; jnz 1b */
static void loop(uint8_t *f)
{
	EMIT(f, "\xb9");
	emit32(f, 1 + random64() % 9);
	if (random64() & 1)
		EMIT(f, "\x90\xe2\xfd");
	else
		EMIT(f, "\xff\xc9\x75\xfc");
}

/* While r15 (fuel) lasts: dec r15; js over; call f, or lea rdx,[rip+f]; call rdx */
static void call(uint8_t *f, unsigned i)
{
	uint64_t to = function_at(1 + (unsigned)(random64() % FUNCTIONS));

	EMIT(f, "\x49\xff\xcf");
	if (random64() & 1) {
		EMIT(f, "\x78\x05\xe8");
		emit_relative(f, i, to);
	} else {
		EMIT(f, "\x78\x09\x48\x8d\x15");
		emit_relative(f, i, to);
		EMIT(f, "\xff\xd2");
	}
}

/* lea rdx,[rip+k]; jmp rdx, or push rdx; ret; both past some bytes that are no code */
static void jump(uint8_t *f)
{
	switch (random64() % 3) {
	case 0:
		EMIT(f, "\x48\x8d\x15\x04\0\0\0\xff\xe2\x0f\x0b");
		break;
	case 1:
		EMIT(f, "\x48\x8d\x15\x04\0\0\0\x52\xc3\x0f\x0b");
		break;
	default:
		EMIT(f, "\xeb\x02\x0f\x0b\xe8\0\0\0\0\x5a"); /* jmp; call 1f; 1: pop rdx */
		break;
	}
}

/* What the handlers return from, or skip: int 0x50; int3; ud2 (2 bytes), a load from nowhere */
static void event(uint8_t *f)
{
	switch (random64() % 4) {
	case 0:
		EMIT(f, "\xcd\x50");
		break;
	case 1:
		EMIT(f, "\xcc");
		break;
	case 2:
		EMIT(f, "\x0f\x0b");
		break;
	default: /* pushfq; push far: through a far return to the next instruction */
		EMIT(f, "\x48\x8d\x15\x05\0\0\0\x6a\x10\x52\x48\xcb");
		break;
	}
}

/* xbegin 1f; nop; [xabort 7 | ud2 | test al,1; jz 2f; xabort 1]; 2: xend; 1: */
static void transaction(uint8_t *f)
{
	switch (random64() % 4) {
	case 0:
		EMIT(f, "\x50\xc7\xf8\x04\0\0\0\x90\x0f\x01\xd5\x58");
		break;
	case 1:
		EMIT(f, "\x50\xc7\xf8\x04\0\0\0\x90\xc6\xf8\x07\x58");
		break;
	case 2:
		EMIT(f, "\x50\xc7\xf8\x03\0\0\0\x90\x0f\x0b\x58");
		break;
	default:
		EMIT(f, "\x50\xc7\xf8\x0a\0\0\0\xa8\x01\x74\x03\xc6\xf8\x01\x0f\x01\xd5\x58");
		break;
	}
}

static void snippet(uint8_t *f, unsigned i)
{
	static const uint8_t weights[] = {0, 0, 1, 1, 1, 2, 3, 3, 4, 4, 5, 6};

	switch (weights[random64() % sizeof(weights)]) {
	case 0:
		mix(f);
		break;
	case 1:
		conditional(f);
		break;
	case 2:
		loop(f);
		break;
	case 3:
		call(f, i);
		break;
	case 4:
		jump(f);
		break;
	case 5:
		event(f);
		break;
	default:
		transaction(f);
		break;
	}
}

static void make_functions(void)
{
	for (unsigned i = 0; i <= FUNCTIONS; i++) {
		uint8_t *f = code[i];

		memset(f, 0xf4, FUNCTION_SIZE);
		used = 0;
		if (!i)
			EMIT(f, "\x49\xc7\xc7\x40\x01\0\0"); /* mov r15,320 */
		for (unsigned n = 4 + random64() % 12; n; n--)
			snippet(f, i);
		if (i)
			EMIT(f, "\xc3");
		else
			EMIT(f, "\xf4");
	}
	timer = random64() & 1 ? 50 + random64() % 400 : 0;
}

/* push rax; push rcx; push rdx; EOI; pop ...; iretq */
static void put_timer(struct machine *m)
{
	PT_PUT(m, PT_HANDLER(TIMER_VECTOR), 0x50, 0x51, 0x52, 0xb9, 0x0b, 0x08, 0, 0, 0x31, 0xc0,
	       0x31, 0xd2, 0x0f, 0x30, 0x5a, 0x59, 0x58, 0x48, 0xcf);
	pt_set(m, MSR_IA32_APIC_BASE,
	       pt_get(m, MSR_IA32_APIC_BASE) | APIC_BASE_EN | APIC_BASE_EXTD);
	pt_set(m, X2APIC_SPURIOUS, 0x1ff);
	pt_set(m, X2APIC_DIVIDE, 0xb);
	pt_set(m, X2APIC_LVT_TIMER, 1u << 17 | TIMER_VECTOR);
	pt_set(m, X2APIC_INITIAL_COUNT, timer);
	cpu_set_rflags(m->cpu, RFLAGS_FIXED1 | RFLAGS_IF);
}

static void put_program(struct machine *m)
{
	whole_put(m, PT_CODE, code, sizeof(code));
	PT_PUT(m, PT_HANDLER(6), 0x48, 0x83, 0x04, 0x24, 2, 0x48, 0xcf);
	if (timer)
		put_timer(m);
}

static uint64_t random_ctl(void)
{
	uint64_t ctl = RTIT_CTL_OS | RTIT_CTL_BRANCH_EN;

	if (random64() & 1)
		ctl |= RTIT_CTL_DIS_RETC;
	if (random64() & 1)
		ctl |= RTIT_CTL_TSC_EN;
	if (random64() & 1)
		ctl |= RTIT_CTL_MTC_EN | (3 * (random64() & 3)) << RTIT_CTL_MTC_FREQ_SHIFT;
	if (random64() & 1)
		ctl |= RTIT_CTL_CYC_EN | (random64() % 6) << RTIT_CTL_CYC_THRESH_SHIFT;
	return ctl;
}

static void test_random(void **state)
{
	const char *wish = getenv("ABYME_PT");
	unsigned count = wish ? (unsigned)atoi(wish) : 150, psbs = 0, aborts = 0;
	size_t decoded = 0;

	for (unsigned i = 1; i <= count; i++) {
		struct pt_run r;

		seed = i;
		make_functions();
		pt_run(&(struct pt_case){.setup = put_program, .ctl = random_ctl(), .insns = 4000},
		       &r);
		pt_compare(&r, 0, 1);
		decoded += r.decoded;
		aborts += r.events[ptev_tsx];
		psbs += pt_count_packets(&r, ppt_psb);
		pt_run_free(&r);
	}
	assert_true(decoded > count * 500 && psbs > count && aborts > count / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
