/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A VMCS12 that works, and its corruption field by field.
 */
#include "tests/guests/hostile/hostile.h"

#include <stddef.h>

#include "l1/lib/layout.h"
#include "l1/lib/cpu.h"
#include "l1/lib/paging.h"
#include "l1/lib/runtime.h"
#include "l1/lib/trap.h"
#include "l1/lib/vmx.h"

#define FLAT_CODE (AR_G | AR_L | AR_P | AR_S | AR_TYPE_CODE | AR_TYPE_READABLE | AR_TYPE_ACCESSED)
#define FLAT_DATA (AR_G | AR_DB | AR_P | AR_S | AR_TYPE_WRITABLE | AR_TYPE_ACCESSED)
#define TIMER_VALUE 200 /* in units of 32 cycles: no entry runs long */

extern uint64_t boot_gdt[];
static uint64_t start[VMCS_FIELD_COUNT]; /* what vmcs12_restore() brings back */
static uint8_t *intercept_all;           /* a bitmap page of ones */
static struct vmx_msr_entry *store_area; /* MSRs that can be stored */

/* What must not be spoilt for L1 to outlive the entry; every other field is fair game. */
static const enum vmcs_field kept[] = {
	VMCS_HOST_CR0, VMCS_HOST_CR3, VMCS_HOST_CR4, VMCS_HOST_RSP, VMCS_HOST_RIP, VMCS_HOST_CS_SELECTOR,
	VMCS_HOST_TR_BASE, VMCS_HOST_TR_SELECTOR, VMCS_HOST_GDTR_BASE, VMCS_HOST_IDTR_BASE, VMCS_HOST_SS_SELECTOR,
	VMCS_HOST_FS_BASE, VMCS_HOST_GS_BASE, VMCS_HOST_IA32_EFER, VMCS_HOST_IA32_PERF_GLOBAL_CTRL,
	VMCS_EXIT_MSR_LOAD_COUNT, VMCS_PREEMPTION_TIMER_VALUE, VMCS_EXIT_CONTROLS,
};

static bool is_kept(enum vmcs_field field)
{
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (kept[i] == field)
			return true;
	return false;
}

static void write_controls(void)
{
	uint32_t secondary = vmx_controls(MSR_IA32_VMX_PROCBASED_CTLS2, SECONDARY_ENABLE_EPT);

	vmx_vmwrite(VMCS_PIN_BASED_CONTROLS,
		    vmx_controls(MSR_IA32_VMX_PINBASED_CTLS, PIN_PREEMPTION_TIMER));
	vmx_vmwrite(VMCS_PRIMARY_CONTROLS,
		    vmx_controls(MSR_IA32_VMX_PROCBASED_CTLS,
				 PRIMARY_UNCONDITIONAL_IO_EXITING |
					 (uint32_t)PRIMARY_ACTIVATE_SECONDARY));
	vmx_vmwrite(VMCS_SECONDARY_CONTROLS, secondary);
	vmx_vmwrite(VMCS_EXIT_CONTROLS,
		    vmx_controls(MSR_IA32_VMX_EXIT_CTLS, EXIT_HOST_ADDRESS_SPACE_SIZE));
	vmx_vmwrite(VMCS_ENTRY_CONTROLS,
		    vmx_controls(MSR_IA32_VMX_ENTRY_CTLS, ENTRY_IA32E_MODE_GUEST));
	if (secondary & SECONDARY_ENABLE_EPT)
		vmx_vmwrite(VMCS_EPT_POINTER, ept12_create());
	vmx_vmwrite(VMCS_PREEMPTION_TIMER_VALUE, TIMER_VALUE);
}

static void write_guest(void)
{
	const struct vmx_row rows[] = {
		{VMCS_VMCS_LINK_POINTER, UINT64_MAX},
		{VMCS_GUEST_CR0, read_cr0()},
		{VMCS_GUEST_CR3, read_cr3()},
		{VMCS_GUEST_CR4, read_cr4()},
		{VMCS_GUEST_DR7, DR7_FIXED1},
		{VMCS_GUEST_RFLAGS, RFLAGS_FIXED1},
		{VMCS_GUEST_RSP, HOSTILE_SCRATCH_END},
		{VMCS_GUEST_CS_SELECTOR, KERNEL_CS},
		{VMCS_GUEST_CS_LIMIT, UINT32_MAX},
		{VMCS_GUEST_CS_ACCESS_RIGHTS, FLAT_CODE},
		{VMCS_GUEST_SS_SELECTOR, KERNEL_DS},
		{VMCS_GUEST_SS_LIMIT, UINT32_MAX},
		{VMCS_GUEST_SS_ACCESS_RIGHTS, FLAT_DATA},
		{VMCS_GUEST_DS_ACCESS_RIGHTS, AR_UNUSABLE},
		{VMCS_GUEST_ES_ACCESS_RIGHTS, AR_UNUSABLE},
		{VMCS_GUEST_FS_ACCESS_RIGHTS, AR_UNUSABLE},
		{VMCS_GUEST_GS_ACCESS_RIGHTS, AR_UNUSABLE},
		{VMCS_GUEST_LDTR_ACCESS_RIGHTS, AR_UNUSABLE},
		{VMCS_GUEST_TR_SELECTOR, TASK_STATE},
		{VMCS_GUEST_TR_BASE, trap_task_state()},
		{VMCS_GUEST_TR_LIMIT, 0x67},
		{VMCS_GUEST_TR_ACCESS_RIGHTS, AR_P | DESC_TSS_BUSY},
		{VMCS_GUEST_GDTR_BASE, (uint64_t)boot_gdt},
		{VMCS_GUEST_GDTR_LIMIT, 0xffff},
		{VMCS_GUEST_IDTR_LIMIT, 0},
	};

	vmx_write_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

/* L2 walks L1's page tables but may not write to them: set what a walk would. */
static void preset_accessed(uint64_t *table, unsigned level)
{
	for (unsigned i = 0; i < 512; i++) {
		if (!(table[i] & PTE_P))
			continue;
		table[i] |= PTE_A;
		if (level == 1 || table[i] & PTE_PS)
			table[i] |= PTE_D;
		else
			preset_accessed((uint64_t *)(table[i] & EPT_ADDRESS), level - 1);
	}
}

void vmcs12_create(void)
{
	intercept_all = page_alloc();
	for (unsigned i = 0; i < 4096; i++)
		intercept_all[i] = 0xff;
	store_area = page_alloc();
	for (unsigned i = 0; i < 4; i++)
		store_area[i].index = MSR_IA32_STAR + i;
	preset_accessed(paging_boot_space(), 4);
	if (!vmx_new_vmcs())
		runtime_panic(1, "hostile: no VMCS12");
	write_controls();
	write_guest();
	vmx_write_host_state();
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
		start[i] = vmx_vmread((enum vmcs_field)vmcs_fields[i].encoding);
}

static bool is_writable(unsigned index)
{
	return vmcs_field_type(vmcs_fields[index].encoding) != VMCS_TYPE_READ_ONLY;
}

bool vmcs12_restore(void)
{
	bool current = true;

	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
		if (is_writable(i) && vmcs_fields[i].encoding != VMCS_HOST_RSP &&
		    !vmx_vmwrite((enum vmcs_field)vmcs_fields[i].encoding, start[i]))
			current &= vmcs_fields[i].exists != VMX_FEATURE_ALWAYS;
	return current;
}

/* Fields whose values decide whether L1 outlives L2's run, made harmless after the spoiling. */
static void tame(void)
{
	uint64_t pin = vmx_vmread(VMCS_PIN_BASED_CONTROLS),
		 primary = vmx_vmread(VMCS_PRIMARY_CONTROLS);

	vmx_vmwrite(VMCS_PIN_BASED_CONTROLS, pin | PIN_PREEMPTION_TIMER);
	vmx_vmwrite(VMCS_PRIMARY_CONTROLS, primary | PRIMARY_UNCONDITIONAL_IO_EXITING);
	if (primary & PRIMARY_USE_IO_BITMAPS) {
		vmx_vmwrite(VMCS_IO_BITMAP_A, (uint64_t)intercept_all);
		vmx_vmwrite(VMCS_IO_BITMAP_B, (uint64_t)intercept_all);
	}
	if (primary & PRIMARY_USE_MSR_BITMAPS && chance_one_in(2))
		vmx_vmwrite(VMCS_MSR_BITMAP, (uint64_t)intercept_all);
	if (vmx_vmread(VMCS_GUEST_ACTIVITY_STATE) == ACTIVITY_WAIT_SIPI)
		vmx_vmwrite(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	/* An area whose entries are wrong is a VMX abort: the end of L1. */
	if (vmx_vmread(VMCS_EXIT_MSR_STORE_COUNT)) {
		vmx_vmwrite(VMCS_EXIT_MSR_STORE_COUNT, 1 + (chance() >> 62));
		vmx_vmwrite(VMCS_EXIT_MSR_STORE_ADDRESS, (uint64_t)store_area);
	}
}

void vmcs12_spoil(uint64_t top)
{
	for (unsigned i = chance() >> 61; i < 8; i++) {
		const struct vmcs_field_info *info =
			&vmcs_fields[(chance() >> 8) % VMCS_FIELD_COUNT];
		enum vmcs_field field = (enum vmcs_field)info->encoding;

		if (is_kept(field) || vmcs_field_type(field) == VMCS_TYPE_READ_ONLY)
			continue;
		if (vmcs_field_type(field) == VMCS_TYPE_CONTROL &&
		    vmcs_field_width(field) == VMCS_WIDTH_32 && chance_one_in(2))
			vmx_vmwrite(field, vmx_vmread(field) ^ BIT64(chance() >> 59));
		else if (vmcs_field_type(field) == VMCS_TYPE_CONTROL &&
			 vmcs_field_width(field) == VMCS_WIDTH_64)
			vmx_vmwrite(field, chance_address(top));
		else
			vmx_vmwrite(field, chance_value(top));
	}
	tame();
}
