/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Instructions that 64-bit mode lacks, against the host's own CPU in compatibility mode: the
 * decimal adjustments and SALC on every AL with some AH and all of CF and AF. x86-64 Linux hosts
 * that run 32-bit code; elsewhere skipped, and it says so.
 */
#undef _GNU_SOURCE /* its REG_RAX and so on are others than ours */
#define _DEFAULT_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "l0/machine/boot.h"
#include "l0/machine/interp/block.h"
#include "tests/l0/machine/interp/whole.h"

#define NATIVE UINT64_C(0x20000000) /* code, stack and cells of the native run, one page */
#define CODE32 (NATIVE + 0x200)
#define BACK (NATIVE + 0x400)
#define CELL_RSP (NATIVE + 0x800)
#define CELL_FLAGS (NATIVE + 0x808)
#define CELL_EAX (NATIVE + 0x810)
#define STACK32 (NATIVE + 0xff0)
#define GUEST_CODE UINT64_C(0x100000)
#define GUEST_GDT UINT64_C(0x5000)

struct state {
	uint32_t eax, flags;
};

/* ---- the host ---- */

static uint8_t *emit(uint8_t *at, const char *bytes, size_t size)
{
	memcpy(at, bytes, size);
	return at + size;
}
#define EMIT(at, bytes) emit(at, bytes, sizeof(bytes) - 1)

static uint8_t *emit32(uint8_t *at, uint64_t value)
{
	uint32_t low = (uint32_t)value;

	memcpy(at, &low, 4);
	return at + 4;
}

/* Saves what C preserves, moves to a stack below 4 GiB and returns far into 32-bit code. */
static void emit_entry(void)
{
	uint8_t *at = (uint8_t *)(uintptr_t)NATIVE;

	at = EMIT(at,
		  "\x53\x55\x41\x54\x41\x55\x41\x56\x41\x57\x48\x89\x24\x25"); /* mov [cell], rsp */
	at = emit32(at, CELL_RSP);
	at = EMIT(at, "\xbc"); /* mov esp, stack */
	at = emit32(at, STACK32);
	at = EMIT(at, "\x6a\x23\x68"); /* push 0x23; push code */
	at = emit32(at, CODE32);
	EMIT(at, "\x48\xcb"); /* retfq */

	at = EMIT((uint8_t *)(uintptr_t)BACK, "\x48\x8b\x24\x25"); /* mov rsp, [cell] */
	at = emit32(at, CELL_RSP);
	EMIT(at, "\x41\x5f\x41\x5e\x41\x5d\x41\x5c\x5d\x5b\xc3");
}

/* DS is null in a 64-bit process: the cells are reached through SS. */
static void emit_code32(const uint8_t *insn, unsigned length)
{
	uint8_t *at = (uint8_t *)(uintptr_t)CODE32;

	at = EMIT(at, "\x36\xff\x35"); /* push ss:[flags]; popf */
	at = emit32(at, CELL_FLAGS);
	at = EMIT(at, "\x9d\x36\xa1"); /* mov eax, ss:[eax] */
	at = emit32(at, CELL_EAX);
	at = emit(at, (const char *)insn, length);
	at = EMIT(at, "\x36\xa3"); /* mov ss:[eax], eax */
	at = emit32(at, CELL_EAX);
	at = EMIT(at, "\x9c\x36\x8f\x05"); /* pushf; pop ss:[flags] */
	at = emit32(at, CELL_FLAGS);
	at = EMIT(at, "\xea"); /* jmp far 0x33:back */
	at = emit32(at, BACK);
	EMIT(at, "\x33\x00");
}

static struct state native(struct state in)
{
	volatile uint32_t *flags = (volatile uint32_t *)(uintptr_t)CELL_FLAGS;
	volatile uint32_t *eax = (volatile uint32_t *)(uintptr_t)CELL_EAX;

	*flags = in.flags;
	*eax = in.eax;
	((void (*)(void))(uintptr_t)NATIVE)();
	return (struct state){*eax, *flags};
}

static sigjmp_buf no_compatibility;

static void on_signal(int number)
{
	siglongjmp(no_compatibility, 1);
}

/* NOP runs in 32-bit mode? */
static bool native_works(void)
{
#ifdef __x86_64__
	void *page = mmap((void *)(uintptr_t)NATIVE, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	static uint8_t other_stack[65536];
	stack_t stack = {.ss_sp = other_stack, .ss_size = sizeof(other_stack)};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_NODEFER};

	if (page != (void *)(uintptr_t)NATIVE)
		return false;
	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	emit_entry();
	emit_code32((const uint8_t *)"\x90", 1);
	if (sigsetjmp(no_compatibility, 0))
		return false;
	return native((struct state){.eax = 5, .flags = RFLAGS_FIXED1}).eax == 5;
#else
	return false;
#endif
}

/* ---- the interpreter ---- */

static struct machine machine;

static void start(void)
{
	struct cpu_boot_state boot = {.mode = BOOT_PROTECTED32, .rip = GUEST_CODE};

	whole_create(&machine, UINT64_C(16) << 20);
	interp_cpu_ops.boot(machine.cpu, &boot);
}

static struct state interpreted(struct state in)
{
	struct cpu *cpu = machine.cpu;

	cpu_rip(cpu) = GUEST_CODE;
	cpu->gpr[REG_RAX] = in.eax;
	cpu_set_rflags(cpu, in.flags);
	machine.max_insns = cpu_retired(cpu) + 1;
	machine.stop = STOP_NONE;
	interp_cpu_ops.run(cpu);
	return (struct state){(uint32_t)cpu->gpr[REG_RAX], (uint32_t)cpu_rflags(cpu)};
}

/* ---- the comparison ---- */

static unsigned compare(const char *name, const uint8_t *insn, unsigned length, uint32_t undefined,
			struct state in)
{
	struct state host = native(in), ours = interpreted(in);

	if (host.eax == ours.eax && !((host.flags ^ ours.flags) & RFLAGS_STATUS & ~undefined))
		return 0;
	print_message("%s %02x: eax %#x flags %#x: host %#x %#x, interpreter %#x %#x\n", name,
		      insn[length - 1], in.eax, in.flags, host.eax, host.flags, ours.eax,
		      ours.flags);
	return 1;
}

static unsigned compare_all(const char *name, const uint8_t *insn, unsigned length,
			    uint32_t undefined)
{
	static const uint32_t upper[] = {0, 0x0100, 0x0900, 0x7f00, 0x8000, 0xff00, 0x12340500};
	unsigned different = 0;

	emit_code32(insn, length);
	assert_true(memory_write(&machine.memory, GUEST_CODE, insn, length));
	blocks_written(machine.cpu, GUEST_CODE, length);
	for (uint32_t al = 0; al < 256; al++)
		for (unsigned i = 0; i < sizeof(upper) / sizeof(upper[0]); i++)
			for (uint32_t flags = 0; flags < 4 && different < 4; flags++)
				different += compare(name, insn, length, undefined,
						     (struct state){
							 upper[i] | al,
							 (flags & 1 ? (uint32_t)RFLAGS_CF : 0) |
							     (flags & 2 ? (uint32_t)RFLAGS_AF : 0) |
							     (uint32_t)RFLAGS_FIXED1,
						     });
	return different;
}

static void as_on_the_host(void **state)
{
	static const struct {
		uint8_t bytes[16];
		unsigned length;
	} insns[] = {
	    {{0x27}, 1},       {{0x2f}, 1},	  {{0x37}, 1},	     {{0x3f}, 1},
	    {{0xd6}, 1},       {{0xd4, 0x0a}, 2}, {{0xd4, 0x03}, 2}, {{0xd4, 0xff}, 2},
	    {{0xd5, 0x0a}, 2}, {{0xd5, 0xa7}, 2}, {{0x40}, 1},	     {{0x48}, 1},
	};
	unsigned different = 0;

	if (!native_works()) {
		print_message("skipped: this host runs no 32-bit code\n");
		skip();
	}
	start();
	for (unsigned i = 0; i < sizeof(insns) / sizeof(insns[0]); i++) {
		struct decode_env env = machine.cpu->blocks->env;
		struct op op = {.off = 0};

		env.mode = MODE_CODE32 | MODE_FLAT;
		assert_int_equal(decode_insn(&env, insns[i].bytes, 15, &op), DECODE_OK);
		different += compare_all(insn_row(op.row)->mnemonic, insns[i].bytes,
					 insns[i].length, insn_row(op.row)->undefined);
	}
	machine_free(&machine);
	assert_int_equal(different, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(as_on_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
