/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The fuzzed guest's host, in code that is put together step by step. It uses R8 to R11; the
 * guest's other registers pass through it.
 */
#include <string.h>

#include "l0/machine/interp/profile.h"
#include "l0/machine/interp/vmx/private.h"
#include "tests/fuzz/guest.h"
#include "tests/fuzz/vmx_setup.h"

#define STEP_SIZE 64

struct code {
	uint8_t *at, *from;
	uint64_t address; /* of `from` */
};

static struct code code_at(struct machine *machine, uint64_t address)
{
	uint8_t *at = machine->memory.low + address;

	return (struct code){ at, at, address };
}

static void emit(struct code *code, const void *bytes, size_t size)
{
	memcpy(code->at, bytes, size);
	code->at += size;
}

static void emit32(struct code *code, uint64_t value)
{
	uint32_t low = (uint32_t)value;

	emit(code, &low, sizeof(low));
}

#define EMIT(code, bytes) emit(code, bytes, sizeof(bytes) - 1)

static void jump(struct code *code, uint64_t to)
{
	EMIT(code, "\xe9");
	emit32(code, to - (code->address + (uint64_t)(code->at - code->from) + 4));
}

/* R8 = value */
static void value(struct code *code, uint64_t value)
{
	EMIT(code, "\x49\xb8");
	emit(code, &value, sizeof(value));
}

/* R9 = what, at most 2^31 */
static void number(struct code *code, uint32_t what)
{
	EMIT(code, "\x49\xc7\xc1");
	emit32(code, what);
}

/* An instruction whose memory operand is [HOST_OPERAND], which R8 is stored to. */
static void with_operand(struct code *code, const void *bytes, size_t size)
{
	EMIT(code, "\x4c\x89\x04\x25"); /* mov [], r8 */
	emit32(code, HOST_OPERAND);
	emit(code, bytes, size);
	emit32(code, HOST_OPERAND);
}
#define WITH_OPERAND(code, bytes) with_operand(code, bytes, sizeof(bytes) - 1)

static void reload(struct code *code)
{
	value(code, VMCS_REGION);
	WITH_OPERAND(code, "\x66\x0f\xc7\x34\x25"); /* vmclear */
	WITH_OPERAND(code, "\x0f\xc7\x34\x25");	    /* vmptrld */
}

static void poke(struct code *code, const struct vmx_step *step)
{
	number(code, (uint32_t)(step->value >> 56 << PAGE_SHIFT) | step->field % 512u * 8);
	EMIT(code, "\x4d\x89\x01"); /* mov [r9], r8 */
}

static void ipi(struct code *code)
{
	EMIT(code, "\x41\xb9\x00\x03\xe0\xfe"); /* mov r9d, ICR */
	EMIT(code, "\x45\x89\x01");		/* mov [r9], r8d */
}

void vmx_host_step(struct machine *machine, unsigned step_number, const struct vmx_step *step)
{
	uint64_t start = HOST_STEPS + step_number * STEP_SIZE;
	struct code code = code_at(machine, start);

	number(&code, vmcs_fields[step->field % VMCS_FIELD_COUNT].encoding);
	value(&code, step->value);
	switch ((enum vmx_step_kind)step->what) {
	case VMX_STEP_VMWRITE:
		EMIT(&code, "\x45\x0f\x79\xc8");
		break;
	case VMX_STEP_VMREAD:
		EMIT(&code, "\x45\x0f\x78\xc8");
		break;
	case VMX_STEP_INVEPT:
		number(&code, step->field % 4u);
		WITH_OPERAND(&code, "\x66\x44\x0f\x38\x80\x0c\x25");
		break;
	case VMX_STEP_INVVPID:
		number(&code, step->field % 5u);
		WITH_OPERAND(&code, "\x66\x44\x0f\x38\x81\x0c\x25");
		break;
	case VMX_STEP_VMCLEAR:
		WITH_OPERAND(&code, "\x66\x0f\xc7\x34\x25");
		break;
	case VMX_STEP_VMPTRLD:
		WITH_OPERAND(&code, "\x0f\xc7\x34\x25");
		break;
	case VMX_STEP_POKE:
		poke(&code, step);
		break;
	case VMX_STEP_IPI:
		ipi(&code);
		break;
	case VMX_STEP_RELOAD:
		code.at = code.from;
		reload(&code);
		break;
	default:
		break;
	}
	jump(&code, HOST_EXIT + 0x100);
}

/* Counts the exit and goes to its step. */
static void exit_build(struct machine *machine)
{
	struct code code = code_at(machine, HOST_EXIT);

	EMIT(&code, "\x83\x04\x25"); /* add dword [HOST_NEXT], STEP_SIZE */
	emit32(&code, HOST_NEXT);
	EMIT(&code, "\x40");
	EMIT(&code, "\x44\x8b\x04\x25"); /* mov r8d, [HOST_NEXT] */
	emit32(&code, HOST_NEXT);
	EMIT(&code, "\x41\x81\xf8"); /* cmp r8d, the last one's end */
	emit32(&code, HOST_STEPS + VMX_STEPS * STEP_SIZE);
	EMIT(&code, "\x73\x03\x41\xff\xe0"); /* jae; jmp r8 */
	EMIT(&code, "\xe6\xf4\xf4");	     /* out 0xf4, al; hlt */
}

/* Past the instruction, or one byte on, and in again. An entry that fails is one more exit. */
static void resume_build(struct machine *machine)
{
	struct code code = code_at(machine, HOST_EXIT + 0x100);

	number(&code, VMCS_EXIT_INSTRUCTION_LENGTH);
	EMIT(&code, "\x45\x0f\x78\xc8");     /* vmread r8, r9 */
	EMIT(&code, "\x41\x83\xe0\x0f");     /* and r8d, 15 */
	EMIT(&code, "\x75\x03\x41\xff\xc0"); /* jnz; inc r8d */
	number(&code, VMCS_GUEST_RIP);
	EMIT(&code, "\x45\x0f\x78\xcb"); /* vmread r11, r9 */
	EMIT(&code, "\x4d\x01\xc3");	 /* add r11, r8 */
	EMIT(&code, "\x45\x0f\x79\xcb"); /* vmwrite r9, r11 */
	EMIT(&code, "\x0f\x01\xc3");	 /* vmresume */
	EMIT(&code, "\x0f\x01\xc2");	 /* vmlaunch */
	jump(&code, HOST_EXIT);
}

void vmx_host_build(struct machine *machine)
{
	struct code code = code_at(machine, HOST_START);

	value(&code, VMXON_REGION);
	WITH_OPERAND(&code, "\xf3\x0f\xc7\x34\x25"); /* vmxon */
	reload(&code);
	EMIT(&code, "\x0f\x01\xc2"); /* vmlaunch */
	jump(&code, HOST_EXIT);
	exit_build(machine);
	resume_build(machine);
	code = code_at(machine, HOST_NEXT);
	emit32(&code, HOST_STEPS - STEP_SIZE);
}

void vmx_host_enter(struct cpu *cpu, const struct vmx_setup *setup)
{
	/* not what interrupts: the IDT is made for the guest's mode */
	unsigned features =
	    setup->features & (GUEST_SHADOW_STACKS | GUEST_TRACKING | GUEST_LAM | GUEST_PKU |
			       GUEST_PKS | GUEST_SMAP | GUEST_PCID | GUEST_LBR);

	guest_enter(cpu, GUEST_LONG4, setup->settings & VMX_HOST_FEATURES ? features : 0);
	cpu->cr4 |= CR4_VMXE;
	cpu->msrs.feature_control = FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX_OUTSIDE_SMX;
	cpu->gpr[REG_RSP] = HOST_STACK + 0x800;
	cpu_rip(cpu) = HOST_START;
	cpu_mode_changed(cpu);
}
