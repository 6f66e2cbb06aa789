/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Runs one instruction natively. Generated code loads all registers and flags from a block, falls
 * into the instruction, and whatever comes after it (the next address or NATIVE_OTHER) stores them
 * all again; a fault comes back through the signal handler, which takes the registers from its
 * context.
 */
#include "tests/oracle/native.h"

#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

/* The code page: the loader at 0, the instruction at 0x400, NATIVE_OTHER at 0x440, then the
 * registers. */
#define REGISTERS (NATIVE_CODE + 0x800) /* 16 registers, then flags, in the order of encoding */
#define STACK_TOP (NATIVE_CODE + 0xf00)
#define SAVED_RSP (NATIVE_CODE + 0x8c0)
#define WHERE (NATIVE_CODE + 0x8c8)
#define MXCSR (NATIVE_CODE + 0x8d0)    /* C's own */
#define EXTENDED (NATIVE_CODE + 0xa00) /* XSAVE or FXSAVE image */
#define COMPONENTS 7U		       /* x87, SSE, AVX */
#define AT_HEADER 512

static sigjmp_buf back;
static struct native_state fault;
static volatile sig_atomic_t running;
static uint8_t alternate_stack[65536];

static uint8_t *emit(uint8_t *at, const void *bytes, unsigned count)
{
	memcpy(at, bytes, count);
	return at + count;
}

static uint8_t *emit32(uint8_t *at, uint64_t value)
{
	uint32_t low = (uint32_t)value;

	return emit(at, &low, 4);
}

/* MOV between a register and [absolute disp32], which every address here fits. */
static uint8_t *emit_mov(uint8_t *at, bool load, unsigned reg, uint64_t address)
{
	*at++ = 0x48 | (reg >> 3) << 2;
	*at++ = load ? 0x8b : 0x89;
	*at++ = 0x04 | (reg & 7) << 3;
	*at++ = 0x25;
	return emit32(at, address);
}

/* MOV RSP, imm32: no flags touched. */
static uint8_t *emit_stack(uint8_t *at)
{
	at = emit(at, "\x48\xc7\xc4", 3);
	return emit32(at, STACK_TOP);
}

/* FXSAVE64 (digit 0), FXRSTOR64 (1), XSAVE64 (4), XRSTOR64 (5), with REX.W; LDMXCSR (2), STMXCSR
 * (3): [absolute disp32]. */
static uint8_t *emit_extended(uint8_t *at, unsigned digit, uint64_t address)
{
	if (digit != 2 && digit != 3)
		*at++ = 0x48;
	at = emit(at, "\x0f\xae", 2);
	*at++ = 0x04 | digit << 3;
	*at++ = 0x25;
	return emit32(at, address);
}

bool native_has_avx(void)
{
	return __builtin_cpu_supports("avx");
}

/* SDM 2 "CPUID", leaf 1: the family and model have extensions. */
void native_cpu_name(char *name, size_t size)
{
	uint32_t word[13] = {0}, eax = 0, other;
	const char *brand = (const char *)word;
	size_t length;

	for (unsigned i = 0; i < 3; i++)
		__get_cpuid(0x80000002 + i, &word[4 * i], &word[4 * i + 1], &word[4 * i + 2],
			    &word[4 * i + 3]);
	__get_cpuid(1, &eax, &other, &other, &other);
	length = strcspn(brand, "@");
	while (length && brand[length - 1] == ' ')
		length--;
	snprintf(name, size, "%.*s, family %u model %u stepping %u", (int)length, brand,
		 (eax >> 8 & 15) + ((eax >> 8 & 15) == 15 ? eax >> 20 & 0xff : 0),
		 (eax >> 4 & 15) | (eax >> 12 & 0xf0), eax & 15);
}

/* All extended state out or in; with AVX it is the components in EDX:EAX. */
static uint8_t *emit_state(uint8_t *at, bool load)
{
	if (!native_has_avx())
		return emit_extended(at, load, EXTENDED);
	at = emit(at, "\xb8", 1); /* mov eax, COMPONENTS */
	at = emit32(at, COMPONENTS);
	at = emit(at, "\xba", 1); /* mov edx, 0: no flags touched */
	at = emit32(at, 0);
	return emit_extended(at, 4 + load, EXTENDED);
}

static uint8_t *emit_loader(uint8_t *at)
{
	at = emit(at, "\x53\x55\x41\x54\x41\x55\x41\x56\x41\x57", 10); /* push what C preserves */
	at = emit_mov(at, false, 4, SAVED_RSP);
	at = emit_extended(at, 3, MXCSR);
	at = emit_state(at, true);
	at = emit(at, "\xff\x34\x25", 3); /* push [flags] */
	at = emit32(at, REGISTERS + 16 * 8);
	*at++ = 0x9d; /* popf */
	for (unsigned reg = 0; reg < 16; reg++)
		at = emit_mov(at, true, reg, REGISTERS + 8 * reg);
	*at++ = 0xe9; /* jmp NATIVE_AT */
	return emit32(at, NATIVE_AT - (uint64_t)(uintptr_t)(at + 4));
}

/* Stores everything, notes `where`, and returns to C. */
static uint8_t *emit_saver(uint8_t *at, uint8_t where)
{
	for (unsigned reg = 0; reg < 16; reg++)
		at = emit_mov(at, false, reg, REGISTERS + 8 * reg);
	at = emit_stack(at);
	*at++ = 0x9c;			  /* pushf */
	at = emit(at, "\x8f\x04\x25", 3); /* pop [flags] */
	at = emit32(at, REGISTERS + 16 * 8);
	at = emit_state(at, false);
	at = emit(at, "\xdb\xe3", 2); /* fninit */
	if (native_has_avx())
		at = emit(at, "\xc5\xf8\x77", 3); /* vzeroupper */
	at = emit_extended(at, 2, MXCSR);
	*at++ = 0xfc;			  /* cld */
	at = emit(at, "\xc6\x04\x25", 3); /* mov byte [WHERE], where */
	at = emit32(at, WHERE);
	*at++ = where;
	at = emit_mov(at, true, 4, SAVED_RSP);
	return emit(at, "\x41\x5f\x41\x5e\x41\x5d\x41\x5c\x5d\x5b\xc3", 11);
}

static const int reg_of_context[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
				       REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
				       REG_R12, REG_R13, REG_R14, REG_R15};

/* The frame holds an FXSAVE image and, with AVX, the rest of an XSAVE image; components that its
 * header does not claim are in their initial state. */
static void take_extended(const uint8_t *image)
{
	uint64_t present = 0;

	memcpy(fault.fx, image, AT_HEADER);
	if (!native_has_avx())
		return;
	memcpy(&present, image + AT_HEADER, 8);
	memset(fault.fx + NATIVE_YMM, 0, NATIVE_FX_SIZE - NATIVE_YMM);
	if (present & 4)
		memcpy(fault.fx + NATIVE_YMM, image + NATIVE_YMM, NATIVE_FX_SIZE - NATIVE_YMM);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	const ucontext_t *user = context;

	if (!running) {
		signal(number, SIG_DFL);
		return;
	}
	for (unsigned reg = 0; reg < 16; reg++)
		fault.gpr[reg] = user->uc_mcontext.gregs[reg_of_context[reg]];
	fault.rflags = user->uc_mcontext.gregs[REG_EFL];
	take_extended((const uint8_t *)user->uc_mcontext.fpregs);
	fault.rip = user->uc_mcontext.gregs[REG_RIP];
	fault.vector = user->uc_mcontext.gregs[REG_TRAPNO];
	siglongjmp(back, 1);
}

static bool map(uint64_t address, int protection)
{
	void *want = (void *)(uintptr_t)address;

	return mmap(want, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		    0) == want;
}

bool native_init(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
	stack_t stack = {.ss_sp = alternate_stack, .ss_size = sizeof(alternate_stack)};
	struct sigaction action = {.sa_sigaction = on_signal,
				   .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

	if (!map(NATIVE_CODE, PROT_READ | PROT_WRITE | PROT_EXEC) ||
	    !map(NATIVE_DATA, PROT_READ | PROT_WRITE))
		return false;
	emit_loader((uint8_t *)(uintptr_t)NATIVE_CODE);
	emit_saver((uint8_t *)(uintptr_t)NATIVE_OTHER, 1);
	sigaltstack(&stack, NULL);
	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	return true;
}

uint8_t *native_data(void)
{
	return (uint8_t *)(uintptr_t)NATIVE_DATA;
}

void native_execute(const uint8_t *insn, unsigned length, const struct native_state *in,
		    struct native_state *out)
{
	uint64_t *registers = (uint64_t *)(uintptr_t)REGISTERS;
	uint8_t *code = (uint8_t *)(uintptr_t)NATIVE_AT;
	uint8_t after[15 + 5];

	/* after the instruction: a jump to the saver of the fall-through path */
	memcpy(after, insn, length);
	after[length] = 0xe9;
	emit32(after + length + 1, 0x600 - (0x400 + length + 5));
	memcpy(code, after, length + 5);
	emit_saver((uint8_t *)(uintptr_t)(NATIVE_CODE + 0x600), 0);
	memcpy(registers, in->gpr, sizeof(in->gpr));
	registers[16] = in->rflags | 2;
	memcpy((uint8_t *)(uintptr_t)EXTENDED, in->fx, sizeof(in->fx));
	memset((uint8_t *)(uintptr_t)EXTENDED + AT_HEADER, 0, NATIVE_YMM - AT_HEADER);
	*((uint8_t *)(uintptr_t)EXTENDED + AT_HEADER) = COMPONENTS;
	if (sigsetjmp(back, 0)) {
		running = 0;
		*out = fault;
		return;
	}
	running = 1;
	((void (*)(void))(uintptr_t)NATIVE_CODE)();
	running = 0;
	memcpy(out->gpr, registers, sizeof(out->gpr));
	out->rflags = registers[16];
	memcpy(out->fx, (uint8_t *)(uintptr_t)EXTENDED, sizeof(out->fx));
	memset(out->fx + AT_HEADER, 0, NATIVE_YMM - AT_HEADER);
	out->rip = *(uint8_t *)(uintptr_t)WHERE ? NATIVE_OTHER : NATIVE_AT + length;
	out->vector = -1;
}
