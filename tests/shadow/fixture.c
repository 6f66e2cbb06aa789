/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The L1 of shadow/'s tests.
 */
#include "tests/shadow/fixture.h"

#include <stdlib.h>

#include "shadow/fields.h"

static uint32_t required(const struct fixture *f, enum vmx_control_word word, uint32_t wanted)
{
	return (uint32_t)vmx_caps_allowed(&f->fake.hw, word) | wanted;
}

static uint32_t required12(const struct fixture *f, enum vmx_control_word word, uint32_t wanted)
{
	return (uint32_t)vmx_caps_allowed(&f->v.caps, word) | wanted;
}

static void set_controls01(struct fixture *f)
{
	struct vmcs *v01 = &f->vmcs01;

	vmcs_set(v01, PIN_BASED_CONTROLS, required(f, VMX_PIN, 0));
	vmcs_set(v01, PRIMARY_CONTROLS,
		 required(f, VMX_PRIMARY,
			  (uint32_t)PRIMARY_ACTIVATE_SECONDARY | (uint32_t)PRIMARY_USE_MSR_BITMAPS |
			      (uint32_t)PRIMARY_USE_IO_BITMAPS));
	vmcs_set(v01, SECONDARY_CONTROLS,
		 SECONDARY_ENABLE_EPT | SECONDARY_ENABLE_VPID | SECONDARY_UNRESTRICTED_GUEST |
		     SECONDARY_PT_USES_GPA | SECONDARY_CONCEAL_VMX_FROM_PT);
	vmcs_set(v01, EXIT_CONTROLS,
		 required(f, VMX_EXIT_CONTROLS,
			  EXIT_HOST_ADDRESS_SPACE_SIZE | EXIT_LOAD_EFER | EXIT_SAVE_EFER |
			      EXIT_CLEAR_RTIT_CTL | EXIT_CONCEAL_VMX_FROM_PT));
	vmcs_set(v01, ENTRY_CONTROLS,
		 required(f, VMX_ENTRY_CONTROLS,
			  ENTRY_IA32E_MODE_GUEST | ENTRY_LOAD_EFER | ENTRY_LOAD_RTIT_CTL |
			      ENTRY_CONCEAL_VMX_FROM_PT));
	vmcs_set(v01, EPT_POINTER, UINT64_C(0x2ff000000) | EPTP_WALK_4 | EPTP_MT_WB);
	vmcs_set(v01, VPID, 1);
	vmcs_set(v01, HOST_RIP, 0xffff800000001000);
	vmcs_set(v01, HOST_CR3, 0x2fe000000);
	vmcs_set(v01, IO_BITMAP_A, 0x2fd000000);
	vmcs_set(v01, IO_BITMAP_B, 0x2fd001000);
	vmcs_set(v01, MSR_BITMAP, 0x2fd002000);
	vmcs_set(v01, CR4_GUEST_HOST_MASK, CR4_VMXE);
	vmcs_set(v01, CR4_READ_SHADOW, CR4_VMXE | CR4_PAE);
}

static void set_state01(struct fixture *f)
{
	SET01(f, GUEST_CR0, CR0_PG | CR0_PE | CR0_NE | CR0_WP | CR0_ET);
	SET01(f, GUEST_CR3, PML4);
	SET01(f, GUEST_CR4, CR4_PAE | CR4_VMXE);
	SET01(f, GUEST_IA32_EFER, EFER_LMA | EFER_LME | EFER_NXE);
	SET01(f, GUEST_CS_ACCESS_RIGHTS, 0xa09b);
	SET01(f, GUEST_SS_ACCESS_RIGHTS, 0xc093);
	SET01(f, GUEST_DS_ACCESS_RIGHTS, 0xc093);
	SET01(f, GUEST_RIP, L1_RIP);
	SET01(f, GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_STATUS);
	SET01(f, EXIT_INSTRUCTION_LENGTH, 4);
	SET01(f, CR4_READ_SHADOW, CR4_VMXE | CR4_PAE);
	fake_poke64(&f->fake, PML4, PDPT | PTE_P | PTE_W | PTE_U);
	fake_poke64(&f->fake, PDPT, PD | PTE_P | PTE_W | PTE_U);
	for (uint64_t i = 0; i < 512; i++)
		fake_poke64(&f->fake, PD + 8 * i, i << 21 | PTE_PS | PTE_P | PTE_W | PTE_U);
}

void fixture_init(struct fixture *f, vmx_features features)
{
	struct shadow_l0 l0 = {
	    .hw = &f->fake.hw,
	    .vmcs01 = &f->vmcs01,
	    .vmcs01_hpa = {VMCS01_HPA},
	    .vmcs01_launched = &f->launched01,
	    .msr_bitmap = f->msr_bitmap01,
	    .io_bitmap_a = f->io_bitmap01_a,
	    .io_bitmap_b = f->io_bitmap01_b,
	};

	memset(f, 0, sizeof(*f));
	fake_env_init(&f->fake, features);
	l0.env = &f->fake.env;
	set_controls01(f);
	f->fake.current = fake_vmcs_at(&f->fake, VMCS01_HPA);
	memcpy(f->fake.current->field, f->vmcs01.field, sizeof(f->vmcs01.field));
	set_state01(f);
	f->launched01 = true;
	assert_true(shadow_init(&f->v, &l0));
}

void fixture_free(struct fixture *f)
{
	fake_env_free(&f->fake);
}

static int setup(void **state, vmx_features features)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	fixture_init(f, features);
	*state = f;
	return 0;
}

int fixture_setup(void **state)
{
	return setup(state, fake_all_features());
}

int fixture_setup_without_shadowing(void **state)
{
	return setup(state, fake_all_features() & ~VMX_FEATURE_BIT(VMX_FEATURE_VMCS_SHADOWING));
}

int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	fixture_free(f);
	free(f);
	return 0;
}

static struct outcome fault_outcome(struct fixture *f, uint64_t info)
{
	static const enum seen by_vector[32] = {[VECTOR_UD] = SEEN_UD,
						[VECTOR_GP] = SEEN_GP,
						[VECTOR_SS] = SEEN_SS,
						[VECTOR_PF] = SEEN_PF};
	struct outcome o = {by_vector[info & 31], 0};

	if (o.seen == SEEN_PF)
		o.number = GET01(f, ENTRY_EXCEPTION_ERROR_CODE);
	SET01(f, ENTRY_INTERRUPTION_INFO, 0);
	return o;
}

static struct outcome flags_outcome(struct fixture *f)
{
	uint64_t flags = GET01(f, GUEST_RFLAGS) & RFLAGS_STATUS;

	SET01(f, GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_STATUS);
	if (flags == 0)
		return (struct outcome){SEEN_SUCCEED, 0};
	if (flags == RFLAGS_CF)
		return (struct outcome){SEEN_INVALID, 0};
	assert_int_equal(flags, RFLAGS_ZF);
	return (struct outcome){SEEN_VALID, vmcs_get(&f->v.current->v12, INSTRUCTION_ERROR)};
}

struct outcome l1_insn(struct fixture *f, uint32_t reason)
{
	uint64_t rip = GET01(f, GUEST_RIP), info;
	enum shadow_next next;

	assert_int_equal(f->fake.current->hpa, VMCS01_HPA);
	next = shadow_l1_vmx_insn(&f->v, &f->regs, reason);
	if (next == SHADOW_DEAD)
		return (struct outcome){SEEN_DEAD, 0};
	if (next == SHADOW_RESUME_L2) {
		assert_int_equal(f->fake.current->hpa, HPA02(f));
		return (struct outcome){SEEN_L2, 0};
	}
	assert_int_equal(f->fake.current->hpa, VMCS01_HPA);
	info = GET01(f, ENTRY_INTERRUPTION_INFO);
	if (info & INTR_INFO_VALID) {
		assert_int_equal(GET01(f, GUEST_RIP), rip);
		return fault_outcome(f, info);
	}
	if (GET01(f, GUEST_RIP) == L1_HOST_RIP && rip != L1_HOST_RIP)
		return (struct outcome){SEEN_EXIT, vmcs_get(&f->v.current->v12, EXIT_REASON)};
	assert_int_equal(GET01(f, GUEST_RIP), rip + 4);
	return flags_outcome(f);
}

struct outcome l1_insn_pointer(struct fixture *f, uint32_t reason, uint64_t value)
{
	fake_poke64(&f->fake, OPERAND, value);
	SET01(f, EXIT_INSTRUCTION_INFO, DESCRIPTOR_MEMORY);
	SET01(f, EXIT_QUALIFICATION, OPERAND);
	return l1_insn(f, reason);
}

/* Register forms: value in RAX (reg1), encoding in RDX (reg2). */
#define REGISTER_FORM (BIT32(10) | REG_RAX << 3 | (uint32_t)REG_RDX << 28)

struct outcome l1_vmread(struct fixture *f, uint64_t encoding, uint64_t *value)
{
	struct outcome o;

	SET01(f, EXIT_INSTRUCTION_INFO, REGISTER_FORM);
	f->regs.gpr[REG_RDX] = encoding;
	o = l1_insn(f, EXIT_REASON_VMREAD);
	*value = f->regs.gpr[REG_RAX];
	return o;
}

struct outcome l1_vmwrite(struct fixture *f, uint64_t encoding, uint64_t value)
{
	SET01(f, EXIT_INSTRUCTION_INFO, REGISTER_FORM);
	f->regs.gpr[REG_RDX] = encoding;
	f->regs.gpr[REG_RAX] = value;
	return l1_insn(f, EXIT_REASON_VMWRITE);
}

struct outcome l1_inv(struct fixture *f, uint32_t reason, uint64_t type, uint64_t low,
		      uint64_t high)
{
	fake_poke64(&f->fake, OPERAND, low);
	fake_poke64(&f->fake, OPERAND + 8, high);
	SET01(f, EXIT_INSTRUCTION_INFO, DESCRIPTOR_MEMORY | (uint32_t)REG_RDX << 28);
	SET01(f, EXIT_QUALIFICATION, OPERAND);
	f->regs.gpr[REG_RDX] = type;
	return l1_insn(f, reason);
}

/* The shadow VMCS that VMCS01 links, if its bitmap lets L1 at the field. */
static struct fake_vmcs *reachable(struct fixture *f, uint32_t encoding, bool write)
{
	const struct shadow_page *page = write ? &f->v.vmwrite_bitmap : &f->v.vmread_bitmap;
	const uint64_t *bitmap = page->va;

	if (!(GET01(f, SECONDARY_CONTROLS) & SECONDARY_VMCS_SHADOWING))
		return NULL;
	if (GET01(f, VMCS_LINK_POINTER) == UINT64_MAX ||
	    (bitmap[encoding / 64] >> encoding % 64 & 1))
		return NULL;
	return fake_vmcs_at(&f->fake, GET01(f, VMCS_LINK_POINTER));
}

bool l1_reaches(struct fixture *f, uint32_t encoding)
{
	return reachable(f, encoding, true);
}

void l1_write(struct fixture *f, uint32_t encoding, uint64_t value)
{
	struct fake_vmcs *shadow = reachable(f, encoding, true);

	if (shadow)
		shadow->field[vmcs_field_index(encoding)] = value;
	else
		assert_outcome(l1_vmwrite(f, encoding, value), SEEN_SUCCEED, 0);
}

uint64_t l1_read(struct fixture *f, uint32_t encoding)
{
	struct fake_vmcs *shadow = reachable(f, encoding, false);
	uint64_t value;

	if (shadow)
		return shadow->field[vmcs_field_index(encoding)];
	assert_outcome(l1_vmread(f, encoding, &value), SEEN_SUCCEED, 0);
	return value;
}

static void poke32(struct fixture *f, uint64_t gpa, uint32_t value)
{
	memcpy(f->fake.ram + gpa, &value, 4);
}

void l1_start_vmx(struct fixture *f)
{
	assert_true(shadow_wrmsr(&f->v, MSR_IA32_FEATURE_CONTROL,
				 FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX_OUTSIDE_SMX));
	poke32(f, VMXON_REGION, VMCS_REVISION);
	poke32(f, VMCS_A, VMCS_REVISION);
	poke32(f, VMCS_B, VMCS_REVISION);
	poke32(f, VMCS_SHADOW, VMCS_REVISION | VMCS_SHADOW_INDICATOR);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMXON, VMXON_REGION), SEEN_SUCCEED, 0);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMCLEAR, VMCS_A), SEEN_SUCCEED, 0);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMPTRLD, VMCS_A), SEEN_SUCCEED, 0);
}

static void write_controls12(struct fixture *f)
{
	l1_write(f, VMCS_PIN_BASED_CONTROLS, required12(f, VMX_PIN, 0));
	l1_write(f, VMCS_PRIMARY_CONTROLS,
		 required12(f, VMX_PRIMARY, (uint32_t)PRIMARY_ACTIVATE_SECONDARY));
	l1_write(f, VMCS_SECONDARY_CONTROLS, SECONDARY_ENABLE_EPT);
	l1_write(f, VMCS_EXIT_CONTROLS,
		 required12(f, VMX_EXIT_CONTROLS,
			    EXIT_HOST_ADDRESS_SPACE_SIZE | EXIT_SAVE_EFER | EXIT_LOAD_EFER |
				EXIT_SAVE_PAT | EXIT_LOAD_PAT | EXIT_SAVE_DEBUG_CONTROLS));
	l1_write(f, VMCS_ENTRY_CONTROLS,
		 required12(f, VMX_ENTRY_CONTROLS,
			    ENTRY_IA32E_MODE_GUEST | ENTRY_LOAD_EFER | ENTRY_LOAD_PAT |
				ENTRY_LOAD_DEBUG_CONTROLS));
	l1_write(f, VMCS_EPT_POINTER, EPTP12);
	l1_write(f, VMCS_VMCS_LINK_POINTER, UINT64_MAX);
}

static void write_host12(struct fixture *f)
{
	l1_write(f, VMCS_HOST_CR0, GET01(f, GUEST_CR0));
	l1_write(f, VMCS_HOST_CR3, PML4);
	l1_write(f, VMCS_HOST_CR4, GET01(f, GUEST_CR4));
	l1_write(f, VMCS_HOST_CS_SELECTOR, 8);
	l1_write(f, VMCS_HOST_DS_SELECTOR, 16);
	l1_write(f, VMCS_HOST_ES_SELECTOR, 16);
	l1_write(f, VMCS_HOST_SS_SELECTOR, 16);
	l1_write(f, VMCS_HOST_TR_SELECTOR, 24);
	l1_write(f, VMCS_HOST_IA32_EFER, GET01(f, GUEST_IA32_EFER));
	l1_write(f, VMCS_HOST_IA32_PAT, UINT64_C(0x0007040600070406));
	l1_write(f, VMCS_HOST_GDTR_BASE, 0x30000);
	l1_write(f, VMCS_HOST_IDTR_BASE, 0x31000);
	l1_write(f, VMCS_HOST_RIP, L1_HOST_RIP);
	l1_write(f, VMCS_HOST_RSP, 0x32000);
}

static void write_guest12(struct fixture *f)
{
	static const uint32_t data[] = {VMCS_GUEST_ES_ACCESS_RIGHTS, VMCS_GUEST_SS_ACCESS_RIGHTS,
					VMCS_GUEST_DS_ACCESS_RIGHTS, VMCS_GUEST_FS_ACCESS_RIGHTS,
					VMCS_GUEST_GS_ACCESS_RIGHTS};

	l1_write(f, VMCS_GUEST_CR0, GET01(f, GUEST_CR0));
	l1_write(f, VMCS_GUEST_CR3, 0x40000);
	l1_write(f, VMCS_GUEST_CR4, GET01(f, GUEST_CR4));
	l1_write(f, VMCS_GUEST_IA32_EFER, EFER_LMA | EFER_LME);
	l1_write(f, VMCS_GUEST_IA32_PAT, UINT64_C(0x0007040600070406));
	l1_write(f, VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa09b);
	for (unsigned i = 0; i < 5; i++)
		l1_write(f, data[i], 0xc093);
	for (uint32_t limit = VMCS_GUEST_ES_LIMIT; limit <= VMCS_GUEST_GS_LIMIT; limit += 2)
		l1_write(f, limit, UINT32_MAX);
	l1_write(f, VMCS_GUEST_TR_ACCESS_RIGHTS, 0x8b);
	l1_write(f, VMCS_GUEST_TR_LIMIT, 0x67);
	l1_write(f, VMCS_GUEST_LDTR_ACCESS_RIGHTS, AR_UNUSABLE);
	l1_write(f, VMCS_GUEST_DR7, DR7_FIXED1);
	l1_write(f, VMCS_GUEST_RFLAGS, RFLAGS_FIXED1);
	l1_write(f, VMCS_GUEST_RIP, L2_RIP);
}

void l1_prepare(struct fixture *f)
{
	l1_start_vmx(f);
	write_controls12(f);
	write_host12(f);
	write_guest12(f);
	ept12_build(f);
}

void l1_resume(struct fixture *f)
{
	assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_L2, 0);
}

void l1_launch(struct fixture *f)
{
	struct outcome o = l1_insn(f, EXIT_REASON_VMLAUNCH);

	if (o.seen != SEEN_L2)
		print_error("VMLAUNCH refused, last note: %s\n", f->fake.noted);
	assert_outcome(o, SEEN_L2, 0);
	assert_true(f->v.in_l2);
	*f->v.launched = true;
}

/* The part of a VM exit that the hardware does to VMCS02. */
enum shadow_next l2_exit(struct fixture *f, uint32_t reason, uint64_t qualification)
{
	assert_true(f->v.in_l2);
	SET02(f, EXIT_REASON, reason);
	SET02(f, EXIT_QUALIFICATION, qualification);
	SET02(f, EXIT_INSTRUCTION_LENGTH, 2);
	SET02(f, ENTRY_INTERRUPTION_INFO,
	      GET02(f, ENTRY_INTERRUPTION_INFO) & ~(uint64_t)INTR_INFO_VALID);
	return shadow_l2_exit(&f->v, &f->regs, reason);
}

void ept12_build(struct fixture *f)
{
	fake_poke64(&f->fake, EPT_ROOT, EPT_PDPT | EPT_RWX);
	fake_poke64(&f->fake, EPT_PDPT, EPT_PD | EPT_RWX);
	fake_poke64(&f->fake, EPT_PD, EPT_PT | EPT_RWX);
	for (uint64_t i = 0; i < 512; i++)
		fake_poke64(&f->fake, EPT_PT + 8 * i, i << PAGE_SHIFT | EPT_RWX | EPT_MT_WB);
}
