/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Between guest.c, guest_code.c and guest_enter.c: the map below GUEST_END, and the handlers.
 */
#ifndef TESTS_FUZZ_GUEST_PRIVATE_H
#define TESTS_FUZZ_GUEST_PRIVATE_H

#include <stdint.h>

enum {
	PML5 = 0x1000,
	PML4 = 0x2000,
	PDPT = 0x3000,
	PD = 0x4000,
	PT = 0x5000,
	PAE_PDPT = 0x6000,
	GDT = 0x6100,
	GDT_LIMIT = 0x7f,
	TSS = 0x6200,
	TASK = 0x6300,
	TSS_LIMIT = 0xff,
	DS_AREA = 0x6800,
	RESUME = 0x6f00, /* where code that has left its pages goes on, minus GUEST_CODE */
	SSP_TABLE = 0x6f80,
	STACK0 = 0x7800,
	STACK_IST = 0x8000,
	SHADOW_IST = 0xcf00,
	SHADOW0 = 0xcff8,
	SHADOW_HERE = 0xc800, /* SSP of ring 0 code that is fuzzed */
	SHADOW_USER = 0xdff0,
	PD32 = 0xe000,
	PT32 = 0xf000,
	STACK_USER = 0x10f00,
	PEBS_BUFFER = 0x17000,
	IDT = 0x18000,
	GATES = 0x19000,
	CALL_ENTRY = 0x1a000,
	SYSCALL_ENTRY = 0x1a010,
	SYSENTER_ENTRY = 0x1a020,
	HANDLER = 0x1b000,
	INTERRUPT = 0x1b200,
	HANDLER_REAL = 0x1b400,

	SEL_CODE = 0x10,
	SEL_DATA = 0x18,
	SEL_USER32 = 0x20,
	SEL_USER_DATA = 0x28,
	SEL_USER64 = 0x30,
	SEL_TSS = 0x38, /* 16 bytes in long mode, like the gate */
	SEL_GATE = 0x48,
	SEL_CODE32 = 0x58,
	SEL_TASK = 0x60,
	SEL_LDT = 0x68,
	SEL_CONFORMING = 0x70,
	SEL_CODE16 = 0x78,

	FIRST_INTERRUPT = 0x40, /* vectors from here on are interrupts of the local APIC */
};

#define GUEST_HANDLER_MAX 128
#define GUEST_INTERRUPT_MAX 32
extern const uint8_t guest_handler64[GUEST_HANDLER_MAX], guest_handler32[GUEST_HANDLER_MAX];
extern const uint8_t guest_interrupt64[GUEST_INTERRUPT_MAX], guest_interrupt32[GUEST_INTERRUPT_MAX];
extern const uint8_t guest_handler_real[8];

#endif
