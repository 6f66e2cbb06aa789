/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The engine as a whole, on small programs: results and time must not depend on how execution was
 * cut into blocks, slices and steps, nor on whether fast or general handlers ran; code that changes
 * itself is seen.
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
#define FUNCTION (CODE + 0x103c)
#define STACK UINT64_C(0x90000)
#define DATA UINT64_C(0x200000)
#define INSNS UINT64_C(20000)

/* clang-format off */
/* start:  mov ecx, 600
 * 1:      add rax, rcx; mov edx, ecx; and edx, 0x1ff; mov [rbx+rdx*8], rax
 *         adc rsi, [rbx+rdx*8+8]; imul rsi, rax; call f; push rax; pop r10
 *         mov [patch+2], ecx; cmp eax, esi
 * patch:  mov r8d, 0x12345678; jb 2f; xor r11, r8
 * 2:      rol r11, 7; mov r9, rcx; mov ecx, 40; lea rsi, [rbx+64]; lea rdi, [rbx+4096-100]
 *         rep movsd; mov rcx, r9; add r12, [rdi-8]; sbb r13, r11; pushfq; pop r14
 *         xor r15, r14; rdtsc; add rbp, rax; dec ecx; jnz 1b
 * 3:      inc rax; jmp 3b */
/* clang-format on */
static const uint8_t program[] = {
    0xb9, 0x58, 0x02, 0x00, 0x00, 0x48, 0x01, 0xc8, 0x89, 0xca, 0x81, 0xe2, 0xff, 0x01, 0x00, 0x00,
    0x48, 0x89, 0x04, 0xd3, 0x48, 0x13, 0x74, 0xd3, 0x08, 0x48, 0x0f, 0xaf, 0xf0, 0xe8, 0x1a, 0x10,
    0x00, 0x00, 0x50, 0x41, 0x5a, 0x89, 0x0d, 0x04, 0x00, 0x00, 0x00, 0x39, 0xf0, 0x41, 0xb8, 0x78,
    0x56, 0x34, 0x12, 0x72, 0x03, 0x4d, 0x31, 0xc3, 0x49, 0xc1, 0xc3, 0x07, 0x49, 0x89, 0xc9, 0xb9,
    0x28, 0x00, 0x00, 0x00, 0x48, 0x8d, 0x73, 0x40, 0x48, 0x8d, 0xbb, 0x9c, 0x0f, 0x00, 0x00, 0xf3,
    0xa5, 0x4c, 0x89, 0xc9, 0x4c, 0x03, 0x67, 0xf8, 0x4d, 0x19, 0xdd, 0x9c, 0x41, 0x5e, 0x4d, 0x31,
    0xf7, 0x0f, 0x31, 0x48, 0x01, 0xc5, 0xff, 0xc9, 0x75, 0x9b, 0x48, 0xff, 0xc0, 0xeb, 0xfb,
};
/* f:      shl rax, 3; lea rax, [rax+rsi*2+7]; test eax, 0x100; cmovnz rax, rsi; setc r8b; ret */
static const uint8_t function[] = {
    0x48, 0xc1, 0xe0, 0x03, 0x48, 0x8d, 0x44, 0x70, 0x07, 0xa9, 0x00, 0x01,
    0x00, 0x00, 0x48, 0x0f, 0x45, 0xc6, 0x41, 0x0f, 0x92, 0xc0, 0xc3,
};

static struct machine machine;

static void put_code(uint64_t at, const uint8_t *code, size_t size)
{
	whole_put(&machine, at, code, size);
	blocks_written(machine.cpu, at, (unsigned)size);
}

static void start(void)
{
	whole_create(&machine, RAM_SIZE);
	put_code(CODE, program, sizeof(program));
	put_code(FUNCTION, function, sizeof(function));
	whole_boot_long64(&machine, RAM_SIZE, CODE, STACK);
	machine.cpu->gpr[REG_RBX] = DATA;
}

static void finish(void)
{
	machine_free(&machine);
}

static void run_to(uint64_t insns)
{
	machine.max_insns = insns;
	machine.stop = STOP_NONE;
	interp_cpu_ops.run(machine.cpu);
	assert_int_equal(machine.stop, STOP_INSN_LIMIT);
	assert_int_equal(cpu_retired(machine.cpu), insns);
}

static uint64_t mix(uint64_t digest, uint64_t value)
{
	return (digest ^ value) * UINT64_C(0x9e3779b97f4a7c15) ^ digest >> 29;
}

/* Everything that a guest could tell: registers, flags, time, memory. */
static uint64_t digest_now(void)
{
	uint64_t digest = mix(cpu_now(machine.cpu), cpu_rflags(machine.cpu)), value;

	for (unsigned reg = 0; reg < REG_COUNT; reg++)
		digest = mix(digest, machine.cpu->gpr[reg]);
	digest = mix(digest, cpu_rip(machine.cpu));
	for (uint64_t at = 0x80000; at < DATA + 0x4000; at += 8) {
		assert_true(memory_read(&machine.memory, at, &value, 8));
		digest = mix(digest, value);
	}
	return digest;
}

static uint64_t random64(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	return z ^ z >> 31;
}

/* ---- slices ---- */

static uint64_t sliced_digest(uint64_t longest)
{
	uint64_t seed = longest, digest;

	start();
	for (uint64_t at = 0; at < INSNS;) {
		at += longest ? 1 + random64(&seed) % longest : INSNS;
		run_to(at < INSNS ? at : INSNS);
	}
	digest = digest_now();
	finish();
	return digest;
}

static void test_slices(void **state)
{
	uint64_t whole = sliced_digest(0);

	assert_int_equal(sliced_digest(1), whole);
	assert_int_equal(sliced_digest(7), whole);
	assert_int_equal(sliced_digest(50), whole);
	assert_int_equal(sliced_digest(3000), whole);
}

/* ---- events land on the same instruction however execution is cut ---- */

static struct event event;
static uint64_t event_digest, event_seed, events;

static void on_event(void *opaque)
{
	uint64_t now = machine_now(&machine);

	assert_true(now >= event.when);
	event_digest = mix(mix(event_digest, now), cpu_rip(machine.cpu));
	event_digest = mix(event_digest, cpu_retired(machine.cpu));
	events++;
	machine_schedule(&machine, &event, now + 1 + random64(&event_seed) % 300);
}

static uint64_t events_digest(uint64_t longest)
{
	uint64_t seed = longest;

	start();
	event = (struct event){.fire = on_event};
	event_digest = events = 0;
	event_seed = 5;
	machine_schedule(&machine, &event, 10);
	for (uint64_t at = 0; at < INSNS;) {
		at += longest ? 1 + random64(&seed) % longest : INSNS;
		run_to(at < INSNS ? at : INSNS);
	}
	event_digest = mix(event_digest, digest_now());
	finish();
	assert_true(events > 100);
	return event_digest;
}

static void test_events(void **state)
{
	uint64_t whole = events_digest(0);

	assert_int_equal(events_digest(1), whole);
	assert_int_equal(events_digest(9), whole);
	assert_int_equal(events_digest(400), whole);
}

/* ---- general handlers do what fast ones do ---- */

static void test_general_forms(void **state)
{
	uint64_t fast = sliced_digest(0);

	start();
	machine.cpu->dr[0] =
	    0x1000; /* a data breakpoint that nothing hits: every access is checked */
	machine.cpu->dr7 = DR7_FIXED1 | 1 | UINT64_C(3) << 16;
	cpu_mode_changed(machine.cpu);
	assert_true(machine.cpu->mode & MODE_CAREFUL);
	run_to(INSNS);
	assert_int_equal(digest_now(), fast);
	finish();
}

/* ---- code that changes ---- */

/* mov ecx, 0x55; mov [imm], ecx; mov r8d, imm; jmp . */
static void test_next_instruction_patched(void **state)
{
	static const uint8_t code[] = {0xb9, 0x55, 0,	 0,    0,    0x89, 0x0d, 2,    0,   0,
				       0,    0x41, 0xb8, 0x78, 0x56, 0x34, 0x12, 0xeb, 0xfe};

	start();
	put_code(CODE, code, sizeof(code));
	run_to(4);
	assert_int_equal(machine.cpu->gpr[REG_R8], 0x55);
	finish();
}

/* A loop whose branch displacement is on one page and whose body is changed from another block:
 * 100: inc eax; jmp 200 ... 200: mov byte [102], 0xc8^8 (INC -> DEC); jmp 100 */
static void test_linked_block_patched(void **state)
{
	static const uint8_t first[] = {0xff, 0xc0, 0xeb, 0x0c}; /* inc eax; jmp +12 */
	static const uint8_t second[] = {0x80, 0x35, 0xea, 0xff,
					 0xff, 0xff, 0x08,	  /* xor byte [first+1], 8 */
					 0xff, 0xc1, 0xeb, 0xe5}; /* inc ecx; jmp first */

	start();
	put_code(CODE, first, sizeof(first));
	put_code(CODE + 16, second, sizeof(second));
	machine.cpu->gpr[REG_RAX] = 10;
	run_to(5 * 101);
	/* INC and DEC in turn: 101 times beginning with INC */
	assert_int_equal(machine.cpu->gpr[REG_RAX], 11);
	assert_int_equal(machine.cpu->gpr[REG_RCX], 101);
	finish();
}

/* An instruction across two pages is decoded again when its second page changes. */
static void test_straddling(void **state)
{
	static const uint8_t code[] = {0xb8, 1, 0, 0, 0, 0xeb, 0xf9}; /* mov eax, 1; jmp to it */
	uint64_t at = CODE + PAGE_SIZE - 2;
	uint8_t two = 2;

	start();
	put_code(at, code, sizeof(code));
	cpu_rip(machine.cpu) = at;
	run_to(10);
	assert_int_equal(machine.cpu->gpr[REG_RAX], 1);
	put_code(at + 2, &two, 1);
	run_to(12);
	assert_int_equal(machine.cpu->gpr[REG_RAX], 0x201);
	finish();
}

/* call e00000; change its PTE, invlpg; call it again; the same with a large page at c00000 and an
 * INVLPG of another address in it; results in ebx, ecx, r8d, eax. */
static void test_remapped(void **state)
{
	static const uint8_t code[] = {
	    0xbf, 0x00, 0x00, 0xe0, 0x00, 0xff, 0xd7, 0x89, 0xc3, 0x48, 0xc7, 0x04, 0x25,
	    0x00, 0x60, 0x00, 0x00, 0x03, 0x10, 0x30, 0x00, 0x0f, 0x01, 0x3f, 0xff, 0xd7,
	    0x89, 0xc1, 0xbe, 0x00, 0x00, 0xc0, 0x00, 0xff, 0xd6, 0x41, 0x89, 0xc0, 0x48,
	    0xc7, 0x04, 0x25, 0x30, 0x30, 0x00, 0x00, 0x83, 0x00, 0x60, 0x00, 0x0f, 0x01,
	    0xbe, 0x00, 0x50, 0x00, 0x00, 0xff, 0xd6, 0xeb, 0xfe,
	};

	start();
	whole_put64(&machine, WHOLE_DIRECTORY + 8 * 7, 0x6003);
	whole_put64(&machine, 0x6000, 0x300003);
	whole_put64(&machine, WHOLE_DIRECTORY + 8 * 6, 0x400083);
	put_code(0x300000, (const uint8_t[]){0xb8, 1, 0, 0, 0, 0xc3}, 6); /* mov eax, 1; ret */
	put_code(0x301000, (const uint8_t[]){0xb8, 2, 0, 0, 0, 0xc3}, 6);
	put_code(0x400000, (const uint8_t[]){0xb8, 3, 0, 0, 0, 0xc3}, 6);
	put_code(0x600000, (const uint8_t[]){0xb8, 4, 0, 0, 0, 0xc3}, 6);
	put_code(CODE, code, sizeof(code));
	run_to(40);
	assert_int_equal(machine.cpu->gpr[REG_RBX], 1);
	assert_int_equal(machine.cpu->gpr[REG_RCX], 2);
	assert_int_equal(machine.cpu->gpr[REG_R8], 3);
	assert_int_equal(machine.cpu->gpr[REG_RAX], 4);
	finish();
}

/* Many blocks: the arena is dropped when it is full, and execution goes on. */
static void test_arena_overflow(void **state)
{
	uint64_t resets;

	start();
	machine.cpu->blocks->size = 1 << 16;
	for (unsigned round = 0; round < 40; round++) {
		for (uint64_t at = CODE; at < CODE + 0x800; at += 8) /* inc eax; jmp next */
			put_code(at, (const uint8_t[]){0xff, 0xc0, 0xeb, 4, 0xcc, 0xcc, 0xcc, 0xcc},
				 8);
		put_code(CODE + 0x800, (const uint8_t[]){0xe9, 0xfb, 0xf7, 0xff, 0xff}, 5);
		run_to((round + 1) * 1024);
	}
	resets = machine.cpu->blocks->resets;
	assert_true(resets > 2);
	/* a lap is 256 times INC and JMP, and one JMP back; every round rewrote the same code */
	assert_int_equal(machine.cpu->gpr[REG_RAX],
			 40 * 1024 / 513 * 256 + (40 * 1024 % 513 + 1) / 2);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_slices),
	    cmocka_unit_test(test_events),
	    cmocka_unit_test(test_general_forms),
	    cmocka_unit_test(test_next_instruction_patched),
	    cmocka_unit_test(test_linked_block_patched),
	    cmocka_unit_test(test_straddling),
	    cmocka_unit_test(test_remapped),
	    cmocka_unit_test(test_arena_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
