/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A VMCS for the fuzzed guest that enters, whatever controls are chosen.
 */
#include "tests/fuzz/vmx_setup.h"

#include <string.h>

#include "l0/machine/interp/profile.h"
#include "l0/machine/interp/vmx/private.h"
#include "tests/fuzz/guest.h"
#include "tests/fuzz/guest_private.h"

#define EPTP_FLAGS (EPTP_WALK_4 | EPTP_MT_WB)
#define NOTIFICATION_VECTOR 0x50

static uint64_t *words(struct machine *machine, uint64_t at)
{
	return (uint64_t *)(void *)(machine->memory.low + at);
}

/* ---- controls ---- */

/* `control` makes no sense without `needed`. */
struct dependency {
	uint8_t word, needed_word;
	uint32_t control, needed;
};
#define NEEDS(word, control, needed_word, needed)                                                  \
	{ VMX_##word, VMX_##needed_word, (uint32_t)(control), (uint32_t)(needed) }
static const struct dependency dependencies[] = {
	NEEDS(SECONDARY, SECONDARY_VIRTUALIZE_X2APIC, PRIMARY, PRIMARY_USE_TPR_SHADOW),
	NEEDS(SECONDARY, SECONDARY_APIC_REGISTER_VIRTUALIZATION, PRIMARY, PRIMARY_USE_TPR_SHADOW),
	NEEDS(SECONDARY, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY, PRIMARY, PRIMARY_USE_TPR_SHADOW),
	NEEDS(SECONDARY, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY, PIN, PIN_EXTERNAL_INTERRUPT_EXITING),
	NEEDS(SECONDARY, SECONDARY_UNRESTRICTED_GUEST, SECONDARY, SECONDARY_ENABLE_EPT),
	NEEDS(SECONDARY, SECONDARY_ENABLE_PML, SECONDARY, SECONDARY_ENABLE_EPT),
	NEEDS(SECONDARY, SECONDARY_MODE_BASED_EXECUTE, SECONDARY, SECONDARY_ENABLE_EPT),
	NEEDS(PIN, PIN_POSTED_INTERRUPTS, SECONDARY, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY),
	NEEDS(PIN, PIN_POSTED_INTERRUPTS, EXIT_CONTROLS, EXIT_ACK_INTERRUPT),
	NEEDS(PIN, PIN_VIRTUAL_NMIS, PIN, PIN_NMI_EXITING),
	NEEDS(PRIMARY, PRIMARY_NMI_WINDOW_EXITING, PIN, PIN_VIRTUAL_NMIS),
	NEEDS(EXIT_CONTROLS, EXIT_SAVE_PREEMPTION_TIMER, PIN, PIN_PREEMPTION_TIMER),
};

/* Drops what lacks what it needs, until nothing does. */
static void settle(uint32_t control[VMX_WORDS])
{
	bool changed = true;

	if (control[VMX_SECONDARY] & SECONDARY_VIRTUALIZE_X2APIC)
		control[VMX_SECONDARY] &= ~(uint32_t)SECONDARY_VIRTUALIZE_APIC_ACCESSES;
	while (changed) {
		changed = false;
		for (unsigned i = 0; i < sizeof(dependencies) / sizeof(dependencies[0]); i++) {
			const struct dependency *d = &dependencies[i];

			if (!(control[d->word] & d->control) ||
			    (control[d->needed_word] & d->needed))
				continue;
			control[d->word] &= ~d->control;
			changed = true;
		}
	}
}

/* What a setting asks for. */
static const struct {
	unsigned setting;
	uint8_t word;
	uint32_t bits;
} wanted[] = {
	{ VMX_EPT, VMX_SECONDARY, SECONDARY_ENABLE_EPT | SECONDARY_UNRESTRICTED_GUEST },
	{ VMX_VPID, VMX_SECONDARY, SECONDARY_ENABLE_VPID },
	{ VMX_APICV, VMX_PRIMARY, PRIMARY_USE_TPR_SHADOW },
	{ VMX_APICV, VMX_SECONDARY, SECONDARY_VIRTUALIZE_APIC_ACCESSES |
		SECONDARY_APIC_REGISTER_VIRTUALIZATION | SECONDARY_VIRTUAL_INTERRUPT_DELIVERY },
	{ VMX_APICV, VMX_PIN, PIN_EXTERNAL_INTERRUPT_EXITING },
	{ VMX_POSTED, VMX_PIN, PIN_POSTED_INTERRUPTS },
	{ VMX_POSTED, VMX_EXIT_CONTROLS, EXIT_ACK_INTERRUPT },
	{ VMX_SHADOW_VMCS, VMX_SECONDARY, SECONDARY_VMCS_SHADOWING },
	{ VMX_FUNCTIONS, VMX_SECONDARY, SECONDARY_ENABLE_VM_FUNCTIONS },
	{ VMX_VE, VMX_SECONDARY, SECONDARY_EPT_VIOLATION_VE },
	{ VMX_PML, VMX_SECONDARY, SECONDARY_ENABLE_PML },
	{ VMX_MBEC, VMX_SECONDARY, SECONDARY_MODE_BASED_EXECUTE },
	{ VMX_BITMAPS, VMX_PRIMARY, (uint32_t)(PRIMARY_USE_MSR_BITMAPS | PRIMARY_USE_IO_BITMAPS) },
	{ VMX_TIMER, VMX_PIN, PIN_PREEMPTION_TIMER },
	{ VMX_TIMER, VMX_EXIT_CONTROLS, EXIT_SAVE_PREEMPTION_TIMER },
};

static void choose(const struct cpu *cpu, const struct vmx_setup *setup, uint32_t *control)
{
	control[VMX_PRIMARY] = (uint32_t)PRIMARY_ACTIVATE_SECONDARY;
	control[VMX_SECONDARY] = SECONDARY_ENABLE_RDTSCP | SECONDARY_ENABLE_INVPCID |
				 SECONDARY_ENABLE_XSAVES | SECONDARY_ENABLE_USER_WAIT;
	control[VMX_EXIT_CONTROLS] = EXIT_HOST_ADDRESS_SPACE_SIZE | EXIT_SAVE_EFER |
				     EXIT_LOAD_EFER | EXIT_SAVE_DEBUG_CONTROLS | EXIT_LOAD_CET |
				     EXIT_LOAD_PKRS;
	control[VMX_ENTRY_CONTROLS] = ENTRY_LOAD_EFER | ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_CET |
				      ENTRY_LOAD_PKRS |
				      (cpu_long_mode(cpu) ? ENTRY_IA32E_MODE_GUEST : 0);
	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (setup->settings & wanted[i].setting)
			control[wanted[i].word] |= wanted[i].bits;
	for (unsigned word = 0; word < VMX_WORDS; word++) {
		uint64_t allowed = vmx_caps_allowed(cpu->vmx->caps, (enum vmx_control_word)word);

		control[word] ^= setup->control[word];
		if (!(setup->settings & VMX_AS_IT_IS))
			control[word] =
			    (control[word] | (uint32_t)allowed) & (uint32_t)(allowed >> 32);
	}
	if (!(setup->settings & VMX_AS_IT_IS))
		settle(control);
}

/* ---- what the fields point to ---- */

static void ept_build(struct machine *machine)
{
	uint64_t tables[] = { EPT_ROOT, EPT_ROOT + 0x1000, EPT_ROOT + 0x2000 };
	uint64_t rights = EPT_RWX | EPT_XU;

	for (unsigned i = 0; i < 3; i++)
		*words(machine, tables[i]) = (tables[i] + PAGE_SIZE) | rights;
	for (unsigned i = 0; i < 512; i++)
		words(machine, EPT_ROOT + 0x3000)[i] =
		    (uint64_t)i << PAGE_SHIFT | rights | EPT_MT_WB;
	words(machine, EPT_ROOT + 0x2000)[1] = rights | EPT_MT_WB | EPT_PS;
	words(machine, EPT_ROOT + 0x1000)[3] = (EPT_ROOT + 0x4000) | rights;
	words(machine, EPT_ROOT + 0x4000)[0xfee00000 >> 21 & 511] = 0xfee00000 | rights | EPT_PS;
	*words(machine, EPT_ROOT2) = (EPT_ROOT2 + PAGE_SIZE) | rights;
	*words(machine, EPT_ROOT2 + PAGE_SIZE) = (EPT_ROOT + 0x2000) | EPT_R | EPT_X | EPT_XU;
	words(machine, EPTP_LIST_PAGE)[0] = EPT_ROOT | EPTP_FLAGS;
	words(machine, EPTP_LIST_PAGE)[1] = EPT_ROOT2 | EPTP_FLAGS;
}

static void areas_build(struct machine *machine)
{
	static const struct vmx_msr_entry entries[] = {
		{ MSR_IA32_LSTAR, 0, SYSCALL_ENTRY },
		{ MSR_IA32_KERNEL_GS_BASE, 0, GUEST_DATA },
		{ MSR_IA32_TSC, 0, 0 },
	};

	(void)memory_write(&machine->memory, LOAD_AREA, entries, sizeof(entries));
	(void)memory_write(&machine->memory, STORE_AREA, entries, sizeof(entries));
	*words(machine, SHADOW_REGION) = VMCS_REVISION | VMCS_SHADOW_INDICATOR;
	*words(machine, VMXON_REGION) = VMCS_REVISION;
	*words(machine, MSR_BITMAP_PAGE) = 0xf0;
	*words(machine, IO_BITMAP_PAGES) = 0xf0f0;
	words(machine, POSTED_DESCRIPTOR)[1] = 2; /* vector 0x41 */
	words(machine, POSTED_DESCRIPTOR)[4] = 1; /* outstanding */
}

/* ---- fields ---- */

static void host_fields(struct vmcs *vmcs, const struct cpu *cpu)
{
	vmcs_set(vmcs, HOST_CR0, CR0_PG | CR0_WP | CR0_NE | CR0_PE | CR0_ET);
	vmcs_set(vmcs, HOST_CR3, PML4);
	vmcs_set(vmcs, HOST_CR4, CR4_VMXE | CR4_PAE | CR4_OSFXSR);
	vmcs_set(vmcs, HOST_IA32_EFER, EFER_LMA | EFER_LME | EFER_NXE | EFER_SCE);
	vmcs_set(vmcs, HOST_IA32_PAT, cpu->msrs.pat);
	vmcs_set(vmcs, HOST_CS_SELECTOR, SEL_CODE);
	vmcs_set(vmcs, HOST_SS_SELECTOR, SEL_DATA);
	vmcs_set(vmcs, HOST_TR_SELECTOR, SEL_TSS);
	vmcs_set(vmcs, HOST_TR_BASE, TSS);
	vmcs_set(vmcs, HOST_GDTR_BASE, GDT);
	vmcs_set(vmcs, HOST_IDTR_BASE, IDT);
	vmcs_set(vmcs, HOST_RSP, HOST_STACK + 0x800);
	vmcs_set(vmcs, HOST_RIP, HOST_EXIT);
}

/* The CPU is as the guest shall be: what an exit would save. */
static void guest_fields(struct vmcs *vmcs, struct cpu *cpu)
{
	struct vmx_state *vmx = cpu->vmx;

	vmx->vmcs = vmcs;
	vmx->exit_controls = (uint32_t)(EXIT_SAVE_DEBUG_CONTROLS | EXIT_SAVE_PAT | EXIT_SAVE_EFER);
	vmx_save_guest_state(cpu);
	vmx->exit_controls = 0;
	vmx->vmcs = NULL;
	vmcs_set(vmcs, GUEST_RFLAGS, cpu_rflags(cpu));
	vmcs_set(vmcs, GUEST_CR0, cpu->cr0 | CR0_NE);
	vmcs_set(vmcs, GUEST_CR4, cpu->cr4 | CR4_VMXE);
	for (unsigned i = 0; i < 4; i++)
		vmcs->field[VMCS_INDEX_GUEST_PDPTE0 + i] = cpu->pdpte[i];
	vmcs_set(vmcs, VMCS_LINK_POINTER, UINT64_MAX);
}

static void pointer_fields(struct vmcs *vmcs, const struct cpu *cpu, const struct vmx_setup *setup)
{
	bool ad = vmx_feature(cpu, VMX_FEATURE_EPT_AD) && (setup->settings & VMX_PML);

	vmcs_set(vmcs, EPT_POINTER, EPT_ROOT | EPTP_FLAGS | (ad ? EPTP_AD : 0));
	vmcs_set(vmcs, EPTP_LIST_ADDRESS, EPTP_LIST_PAGE);
	vmcs_set(vmcs, VM_FUNCTION_CONTROLS, setup->settings & VMX_FUNCTIONS ? 1 : 0);
	vmcs_set(vmcs, VIRTUALIZATION_EXCEPTION_INFO, VE_PAGE);
	vmcs_set(vmcs, PML_ADDRESS, PML_PAGE);
	vmcs_set(vmcs, PML_INDEX, 3);
	vmcs_set(vmcs, MSR_BITMAP, MSR_BITMAP_PAGE);
	vmcs_set(vmcs, IO_BITMAP_A, IO_BITMAP_PAGES);
	vmcs_set(vmcs, IO_BITMAP_B, IO_BITMAP_PAGES + PAGE_SIZE);
	vmcs_set(vmcs, VIRTUAL_APIC_ADDRESS, VIRTUAL_APIC_PAGE);
	vmcs_set(vmcs, APIC_ACCESS_ADDRESS, 0xfee00000);
	vmcs_set(vmcs, POSTED_INTERRUPT_DESCRIPTOR, POSTED_DESCRIPTOR);
	vmcs_set(vmcs, POSTED_INTERRUPT_NOTIFICATION_VECTOR, NOTIFICATION_VECTOR);
	vmcs_set(vmcs, VMREAD_BITMAP, VMREAD_PAGE);
	vmcs_set(vmcs, VMWRITE_BITMAP, VMWRITE_PAGE);
	if (setup->settings & VMX_SHADOW_VMCS)
		vmcs_set(vmcs, VMCS_LINK_POINTER, SHADOW_REGION);
	vmcs_set(vmcs, ENTRY_MSR_LOAD_ADDRESS, LOAD_AREA);
	vmcs_set(vmcs, EXIT_MSR_LOAD_ADDRESS, LOAD_AREA);
	vmcs_set(vmcs, EXIT_MSR_STORE_ADDRESS, STORE_AREA);
}

static void other_fields(struct vmcs *vmcs, const struct vmx_setup *setup)
{
	if (setup->settings & VMX_MSR_AREAS) {
		vmcs_set(vmcs, ENTRY_MSR_LOAD_COUNT, 2);
		vmcs_set(vmcs, EXIT_MSR_LOAD_COUNT, 2);
		vmcs_set(vmcs, EXIT_MSR_STORE_COUNT, 3);
	}
	vmcs_set(vmcs, VPID, 7);
	vmcs_set(vmcs, TSC_OFFSET, 1000);
	vmcs_set(vmcs, TSC_MULTIPLIER, UINT64_C(3) << 47);
	vmcs_set(vmcs, PREEMPTION_TIMER_VALUE, 2);
	vmcs_set(vmcs, PLE_WINDOW, 100);
	vmcs_set(vmcs, PLE_GAP, 20);
	vmcs_set(vmcs, EXCEPTION_BITMAP, setup->settings & VMX_EXCEPTIONS ? UINT32_MAX : 0);
	vmcs_set(vmcs, EOI_EXIT_BITMAP1, 2);
	vmcs_set(vmcs, CR0_GUEST_HOST_MASK, CR0_NE);
	vmcs_set(vmcs, CR4_GUEST_HOST_MASK, CR4_VMXE);
}

struct vmcs *vmx_vmcs_build(struct machine *machine, const struct vmx_setup *setup)
{
	struct vmcs *vmcs = (struct vmcs *)(void *)(machine->memory.low + VMCS_REGION);
	uint32_t control[VMX_WORDS] = { 0 };
	struct cpu *cpu = machine->cpu;

	ept_build(machine);
	areas_build(machine);
	guest_enter(cpu, setup->mode, setup->features);
	vmcs->revision = VMCS_REVISION;
	guest_fields(vmcs, cpu);
	host_fields(vmcs, cpu);
	pointer_fields(vmcs, cpu, setup);
	other_fields(vmcs, setup);
	choose(cpu, setup, control);
	vmcs_set(vmcs, PIN_BASED_CONTROLS, control[VMX_PIN]);
	vmcs_set(vmcs, PRIMARY_CONTROLS, control[VMX_PRIMARY]);
	vmcs_set(vmcs, SECONDARY_CONTROLS, control[VMX_SECONDARY]);
	vmcs_set(vmcs, EXIT_CONTROLS, control[VMX_EXIT_CONTROLS]);
	vmcs_set(vmcs, ENTRY_CONTROLS, control[VMX_ENTRY_CONTROLS]);
	return vmcs;
}
