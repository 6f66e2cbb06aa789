/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMCS01: how L1 runs. The controls ask for as few exits as the hardware allows; all fields come
 * from vmcs01.def. An image of everything but the guest state is kept for shadow/, which merges it
 * into every VMCS02.
 */
#include "l0/hv/hv.h"
#include "l0/hv/hw.h"
#include "l0/hv/loader.h"

/* As the boot loader on this platform leaves them: code 0x10, data 0x18. */
#define GUEST_SELECTOR_CODE 0x10
#define GUEST_SELECTOR_DATA 0x18
#define GUEST_AR_DATA (AR_G | AR_DB | AR_P | AR_S | AR_TYPE_WRITABLE | AR_TYPE_ACCESSED)
#define GUEST_AR_CODE                                                                              \
	(AR_G | AR_P | AR_S | AR_TYPE_CODE | AR_TYPE_READABLE | AR_TYPE_ACCESSED)

#define SECONDARY_WANTED                                                                           \
	(SECONDARY_ENABLE_EPT | SECONDARY_UNRESTRICTED_GUEST | SECONDARY_ENABLE_RDTSCP |           \
	 SECONDARY_ENABLE_INVPCID | SECONDARY_ENABLE_XSAVES | SECONDARY_ENABLE_USER_WAIT |         \
	 SECONDARY_PT_USES_GPA | SECONDARY_CONCEAL_VMX_FROM_PT)
#define EXIT_WANTED                                                                                \
	(EXIT_SAVE_DEBUG_CONTROLS | EXIT_HOST_ADDRESS_SPACE_SIZE | EXIT_SAVE_PAT | EXIT_LOAD_PAT | \
	 EXIT_SAVE_EFER | EXIT_LOAD_EFER | EXIT_CLEAR_BNDCFGS | EXIT_CLEAR_RTIT_CTL |              \
	 EXIT_CONCEAL_VMX_FROM_PT)
#define ENTRY_WANTED                                                                               \
	(ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER | ENTRY_LOAD_BNDCFGS |       \
	 ENTRY_LOAD_RTIT_CTL | ENTRY_CONCEAL_VMX_FROM_PT)

/* What the rows of vmcs01.def are computed from. */
struct setup {
	uint32_t pin, primary, secondary, exit, entry;
	uint64_t eptp, msr_bitmap, io_bitmap_a, io_bitmap_b, host_rsp;
	uint64_t cr0, cr0_real, cr0_mask; /* as L1 sees it; as it is; the bits that are ours */
	uint64_t cr4, cr4_real, cr4_mask;
	uint64_t efer;
	uint32_t code_access_rights;
	const struct hv_host_tables *tables;
	const struct loader_entry *start;
};

static void write_checked(struct vcpu *vcpu, enum vmcs_index index, uint64_t value)
{
	uint32_t encoding = vmcs_fields[index].encoding;
	struct vmx_result r = hw_try_vmwrite(encoding, value);

	if (r.outcome != VMX_SUCCEED)
		hv_panic("VMWRITE of %s failed with error %u", vmcs_fields[index].name, r.error);
	vcpu->vmcs01.field[index] = value;
}

void vmcs01_write(struct vcpu *vcpu, enum vmcs_field field, uint64_t value)
{
	write_checked(vcpu, (enum vmcs_index)vmcs_field_index(field), value);
}

static void write_rows(struct vcpu *vcpu, const struct setup *s)
{
	const struct {
		enum vmcs_index index;
		enum vmx_feature feature;
		uint64_t value;
	} rows[] = {
#define V01(field, value) {VMCS_INDEX_##field, VMX_FEATURE_ALWAYS, (value)},
#define V01_IF(feature, field, value)                                                              \
	{VMCS_INDEX_##field, VMX_FEATURE_##feature,                                                \
	 machine_has(&hv.machine, VMX_FEATURE_##feature) ? (value) : 0},
#include "l0/hv/vmcs01.def"
#undef V01
#undef V01_IF
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (machine_has(&hv.machine, rows[i].feature))
			write_checked(vcpu, rows[i].index, rows[i].value);
}

static void setup_controls(struct setup *s)
{
	const struct hv_machine *m = &hv.machine;

	s->pin = machine_control(m, VMX_PIN, 0);
	s->primary = machine_control(m, VMX_PRIMARY,
				     PRIMARY_USE_MSR_BITMAPS | PRIMARY_ACTIVATE_SECONDARY);
	/* A VPID keeps translations that L0 has to be able to drop. */
	s->secondary = machine_control(m, VMX_SECONDARY,
				       SECONDARY_WANTED | (machine_has(m, VMX_FEATURE_INVVPID)
								   ? SECONDARY_ENABLE_VPID
								   : 0));
	s->exit = machine_control(m, VMX_EXIT_CONTROLS, EXIT_WANTED);
	s->entry = machine_control(m, VMX_ENTRY_CONTROLS, ENTRY_WANTED);
}

/* CR0 and CR4 bits that VMX fixes are ours: L1 sees what it wrote (SDM 3C "Guest/Host Masks and
 * Read Shadows for CR0 and CR4"). CR4 bits that may not be 1 fault by themselves. */
static void setup_registers(const struct vcpu *vcpu, struct setup *s)
{
	const struct unpaged *unpaged = &vcpu->unpaged;
	const struct vmx_caps *caps = &hv.machine.caps;
	bool long64 = s->start->mode == LOADER_LONG64;

	s->cr0_mask = (vmx_cap(caps, CR0_FIXED0) & ~(CR0_PE | CR0_PG)) | unpaged_cr0_mask(unpaged);
	s->cr0 = CR0_PE | CR0_ET | (long64 ? CR0_PG : 0);
	s->cr0_real = s->cr0 | (s->cr0_mask & vmx_cap(caps, CR0_FIXED0));
	s->cr4_mask = vmx_cap(caps, CR4_FIXED0) | CR4_VMXE | CR4_SMXE | unpaged_cr4_mask(unpaged);
	s->cr4 = long64 ? CR4_PAE : 0;
	s->cr4_real = unpaged_cr4(vcpu, s->cr4);
	s->efer = long64 ? EFER_LME | EFER_LMA : 0;
	s->code_access_rights = GUEST_AR_CODE | (long64 ? AR_L : AR_DB);
	if (long64)
		s->entry |= ENTRY_IA32E_MODE_GUEST;
}

static void setup_msr_bitmap(struct vcpu *vcpu, struct setup *s)
{
	if (!(s->primary & PRIMARY_USE_MSR_BITMAPS))
		return;
	vcpu->msr_bitmap = pool_need();
	msr_bitmap_fill(vcpu, vcpu->msr_bitmap);
	s->msr_bitmap = memory_address(vcpu->msr_bitmap);
}

static void setup_io_bitmaps(struct vcpu *vcpu, struct setup *s)
{
	vcpu->io_bitmap_a = pool_need();
	vcpu->io_bitmap_b = pool_need();
	io_bitmaps_fill(vcpu);
	s->primary |= PRIMARY_USE_IO_BITMAPS;
	s->io_bitmap_a = memory_address(vcpu->io_bitmap_a);
	s->io_bitmap_b = memory_address(vcpu->io_bitmap_b);
}

void vmcs01_create(struct vcpu *vcpu, const struct hv_host_tables *tables, uint64_t eptp,
		   const struct loader_entry *start)
{
	struct setup s = {.eptp = eptp, .tables = tables, .start = start};
	uint32_t *region = pool_need();

	*region = (uint32_t)(vmx_cap(&hv.machine.caps, BASIC) & VMX_BASIC_REVISION);
	vcpu->vmcs01_hpa = memory_address(region);
	s.host_rsp = (uintptr_t)&vcpu->regs.gpr[REG_COUNT];
	setup_controls(&s);
	setup_registers(vcpu, &s);
	setup_msr_bitmap(vcpu, &s);
	setup_io_bitmaps(vcpu, &s);
	if (!hw_vmclear(&vcpu->vmcs01_hpa) || !hw_vmptrld(&vcpu->vmcs01_hpa))
		hv_panic("VMCS01 is refused");
	write_rows(vcpu, &s);
	if (vcpu->unpaged.table && start->mode == LOADER_PROTECTED32) {
		unpaged_enter(vcpu);
		hw_vmwrite(VMCS_GUEST_CR4, unpaged_cr4(vcpu, s.cr4));
	}
	vcpu->regs.gpr[REG_RAX] = start->rax;
	vcpu->regs.gpr[REG_RBX] = start->rbx;
	vcpu->regs.gpr[REG_RSI] = start->rsi;
}
