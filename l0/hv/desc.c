/* SPDX-License-Identifier: BSD-2-Clause
 *
 * GDT, IDT and TSS of the hypervisor. A VM exit loads their bases from the VMCS, with limits of
 * 0xffff and 0x67 (SDM 3C "Loading Host Segment and Descriptor-Table Registers").
 */
#include "l0/hv/hv.h"
#include "l0/hv/hw.h"

#define IDT_ENTRIES 32
#define FAULT_ENTRY_SIZE 16 /* entry.S aligns them */
#define IST_STACK 4096
#define GATE_INTERRUPT UINT64_C(0x8e00)
#define DESCRIPTOR_CODE64 UINT64_C(0x00af9b000000ffff)
#define DESCRIPTOR_DATA UINT64_C(0x00cf93000000ffff)
#define DESCRIPTOR_TSS UINT64_C(0x0000890000000067)

extern const char fault_entries[];

/* NMI, #DF and #MC run on stacks of their own: they may hit any instruction. */
enum ist { IST_NMI = 1, IST_DOUBLE_FAULT, IST_MACHINE_CHECK, IST_COUNT };
static uint8_t ist_stacks[IST_COUNT][IST_STACK] __attribute__((aligned(16)));

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7]; /* ist[i - 1] is IST i */
	uint64_t reserved2;
	uint16_t reserved3, io_map;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 0x68, "SDM 3A \"Task Management in 64-bit Mode\"");

static struct tss tss;
static uint64_t gdt[5];
static uint64_t idt[IDT_ENTRIES][2];

static unsigned ist_of(unsigned vector)
{
	switch (vector) {
	case VECTOR_NMI:
		return IST_NMI;
	case VECTOR_DF:
		return IST_DOUBLE_FAULT;
	case VECTOR_MC:
		return IST_MACHINE_CHECK;
	default:
		return 0;
	}
}

static void fill_idt(void)
{
	for (unsigned i = 0; i < IDT_ENTRIES; i++) {
		uint64_t handler = (uintptr_t)fault_entries + i * FAULT_ENTRY_SIZE;

		idt[i][0] = (handler & 0xffff) | (uint64_t)HV_SELECTOR_CODE << 16 |
			    (GATE_INTERRUPT | ist_of(i)) << 32 | (handler >> 16 & 0xffff) << 48;
		idt[i][1] = handler >> 32;
	}
}

static void fill_gdt(void)
{
	uint64_t base = (uintptr_t)&tss;

	gdt[HV_SELECTOR_CODE / 8] = DESCRIPTOR_CODE64;
	gdt[HV_SELECTOR_DATA / 8] = DESCRIPTOR_DATA;
	gdt[HV_SELECTOR_TSS / 8] =
		DESCRIPTOR_TSS | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
	gdt[HV_SELECTOR_TSS / 8 + 1] = base >> 32;
}

void desc_load(struct hv_host_tables *tables)
{
	struct hw_table gdtr = {.limit = sizeof(gdt) - 1, .base = (uintptr_t)gdt};
	struct hw_table idtr = {.limit = sizeof(idt) - 1, .base = (uintptr_t)idt};

	for (unsigned i = 1; i < IST_COUNT; i++)
		tss.ist[i - 1] = (uintptr_t)ist_stacks[i] + IST_STACK;
	tss.io_map = sizeof(tss);
	fill_gdt();
	fill_idt();
	hw_lgdt(&gdtr);
	hw_load_segments(HV_SELECTOR_CODE, HV_SELECTOR_DATA);
	hw_ltr(HV_SELECTOR_TSS);
	hw_lidt(&idtr);
	tables->gdt = gdtr.base;
	tables->idt = idtr.base;
	tables->tss = (uintptr_t)&tss;
}
