/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Nested VMX itself, in its hosted build over the fake environment: an L1 that does anything with
 * VMX instructions, memory and its own registers, an L2 that exits in any way, an L0 that changes
 * EPT01, has NMIs and little memory. Between any two events the hardware is given nothing that
 * EPT01 does not give L1 (tests/shadow/invariants.h).
 *
 *   features (1): a row of shadow_start.c | 0x80: L2 runs already; pages of the pool that are left
 * (1) events: what (1), then its operands; a value is a kind (1) and what that needs
 */
#include <string.h>

#include "shadow/ept02.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/shadow_start.h"
#include "tests/shadow/invariants.h"

#define EVENTS_MAX 200

struct input {
	const uint8_t *bytes;
	size_t size;
};

static uint64_t take(struct input *in, unsigned size)
{
	return fuzz_take(&in->bytes, &in->size, size);
}

/* Plausible addresses, edges, and anything. */
static uint64_t take_value(struct input *in)
{
	static const uint64_t regions[] = {VMCS_A,     VMCS_B,	  VMCS_SHADOW, VMXON_REGION,
					   EPTP12,     MSR_PAGE,  IO_PAGE_A,   AREA,
					   AREA_2,     APIC_PAGE, EPT_PT,      VMREAD_PAGE,
					   VMCS01_HPA, OPERAND,	  PML4,	       UINT64_MAX};
	unsigned kind = take(in, 1);

	switch (kind & 7) {
	case 0:
		return PAGE_BASE(take(in, 2) << 8) % FAKE_RAM_SIZE;
	case 1:
		return FAKE_POOL_HPA + PAGE_BASE(take(in, 2) << 8) % (FAKE_POOL_PAGES * PAGE_SIZE);
	case 2:
		return regions[kind >> 4];
	case 3:
		return BIT64(take(in, 1) % 64);
	case 4:
		return take(in, 2);
	case 5:
		return FAKE_RAM_SIZE - PAGE_SIZE + (take(in, 2) & 0x1fff);
	case 6:
		return ~take(in, 1);
	default:
		return take(in, 8);
	}
}

static unsigned take_field(struct input *in)
{
	return (unsigned)take(in, 1) % VMCS_FIELD_COUNT;
}

/* ---- L1 ---- */

static void vmwrite(struct fixture *f, unsigned index, uint64_t value)
{
	f->regs.gpr[REG_RDX] = vmcs_fields[index].encoding;
	f->regs.gpr[REG_RAX] = value;
	SET01(f, EXIT_INSTRUCTION_INFO, BIT32(10) | REG_RAX << 3 | (uint32_t)REG_RDX << 28);
	shadow_l1_vmx_insn(&f->v, &f->regs, EXIT_REASON_VMWRITE);
}

/* A bit at a time, so that many entries still succeed. */
static void flip_control(struct fixture *f, struct input *in)
{
	static const uint8_t words[] = { VMCS_INDEX_PIN_BASED_CONTROLS, VMCS_INDEX_PRIMARY_CONTROLS,
					 VMCS_INDEX_SECONDARY_CONTROLS, VMCS_INDEX_EXIT_CONTROLS,
					 VMCS_INDEX_ENTRY_CONTROLS };
	unsigned byte = (unsigned)take(in, 1), index = words[(byte >> 5) % 5];

	if (f->v.current)
		vmwrite(f, index, f->v.current->v12.field[index] ^ BIT64(byte & 31));
}

/* An instruction with a memory operand, or VMREAD. */
static void instruction(struct fixture *f, struct input *in)
{
	static const uint32_t reasons[] = {
	    EXIT_REASON_VMCLEAR, EXIT_REASON_VMPTRLD, EXIT_REASON_VMPTRST, EXIT_REASON_INVEPT,
	    EXIT_REASON_INVVPID, EXIT_REASON_VMXON,   EXIT_REASON_VMREAD,  EXIT_REASON_VMWRITE,
	    EXIT_REASON_VMXOFF,	 EXIT_REASON_VMCALL};
	unsigned which = (unsigned)take(in, 1);

	fake_poke64(&f->fake, OPERAND, take_value(in));
	if (which & 0x80)
		fake_poke64(&f->fake, OPERAND + 8, take_value(in));
	SET01(f, EXIT_QUALIFICATION, which & 0x40 ? take_value(in) : OPERAND);
	SET01(f, EXIT_INSTRUCTION_INFO, DESCRIPTOR_MEMORY | (uint32_t)REG_RDX << 28);
	f->regs.gpr[REG_RDX] = which & 0x20 ? vmcs_fields[take_field(in)].encoding : take(in, 1);
	shadow_l1_vmx_insn(&f->v, &f->regs, reasons[which % 16 % 10]);
}

static void enter(struct fixture *f)
{
	if (shadow_l1_vmx_insn(&f->v, &f->regs, EXIT_REASON_VMRESUME) == SHADOW_RESUME_L1)
		shadow_l1_vmx_insn(&f->v, &f->regs, EXIT_REASON_VMLAUNCH);
}

/* What the hardware lets L1 write without an exit. */
static void write_shadow(struct fixture *f, struct input *in)
{
	uint32_t encoding = vmcs_fields[take_field(in)].encoding;
	uint64_t value = take_value(in);

	if (l1_reaches(f, encoding))
		l1_write(f, encoding, value);
}

/* L1's registers, as the last exit found them. */
static void change_l1(struct fixture *f, struct input *in)
{
	static const uint8_t fields[] = {
		VMCS_INDEX_GUEST_CR0, VMCS_INDEX_GUEST_CR3, VMCS_INDEX_GUEST_CR4,
		VMCS_INDEX_GUEST_IA32_EFER, VMCS_INDEX_GUEST_CS_ACCESS_RIGHTS,
		VMCS_INDEX_GUEST_SS_ACCESS_RIGHTS, VMCS_INDEX_GUEST_DS_ACCESS_RIGHTS,
		VMCS_INDEX_GUEST_DS_BASE, VMCS_INDEX_GUEST_DS_LIMIT, VMCS_INDEX_GUEST_RFLAGS,
		VMCS_INDEX_GUEST_RSP, VMCS_INDEX_GUEST_INTERRUPTIBILITY_STATE,
	};
	unsigned index = fields[take(in, 1) % sizeof(fields)];

	fake_vmcs_at(&f->fake, VMCS01_HPA)->field[index] ^= BIT64(take(in, 1) % 64);
}

static void poke_any(struct fixture *f, struct input *in)
{
	uint64_t page = take(in, 1) % 0x60, word = take(in, 2) % 512;

	fake_poke64(&f->fake, page << PAGE_SHIFT | word * 8, take_value(in));
}

static void poke_ept(struct fixture *f, struct input *in)
{
	unsigned where = (unsigned)take(in, 2);

	fake_poke64(&f->fake, EPT_ROOT + (where & 3) * PAGE_SIZE + (where >> 2) % 512 * 8,
		    take_value(in) ^ take(in, 2));
}

/* EPT01 changes: a page goes, becomes read-only, a device's, or RAM again. */
static void change_ept01(struct fixture *f, struct input *in)
{
	unsigned kind = (unsigned)take(in, 1);
	uint64_t gpa = PAGE_BASE(take_value(in)) % FAKE_RAM_SIZE;
	struct fake_page *page = &f->fake.page[kind >> 4 & (FAKE_EXCEPTIONS - 1)];

	for (unsigned i = 0; i < FAKE_EXCEPTIONS; i++)
		if (f->fake.page[i].gpa == gpa)
			page = &f->fake.page[i];
	*page = (struct fake_page){ .gpa = gpa,
				    .hole = (kind & 3) == 1,
				    .mmio = (kind & 3) == 2,
				    .rights = (kind & 3) == 3 ? EPT_R | EPT_X : EPT_RWX };
	shadow_ept01_changed(&f->v);
}

static void l1_acts(struct fixture *f, struct input *in, unsigned what)
{
	fake_set(&f->fake, VMCS01_HPA, ENTRY_INTERRUPTION_INFO, 0);
	switch (what % 16) {
	case 0: case 1:
		vmwrite(f, take_field(in), take_value(in));
		break;
	case 2: case 3:
		flip_control(f, in);
		break;
	case 4:
		poke_ept(f, in);
		break;
	case 5:
		poke_any(f, in);
		break;
	case 6: case 7:
		instruction(f, in);
		break;
	case 8:
		write_shadow(f, in);
		break;
	case 9:
		change_l1(f, in);
		break;
	case 10:
		(void)shadow_wrmsr(&f->v, MSR_IA32_FEATURE_CONTROL, take_value(in));
		break;
	case 11:
		change_ept01(f, in);
		break;
	default:
		enter(f);
	}
}

/* ---- L2 ---- */

/* The hardware saved guest state into VMCS02. */
static void change_l2(struct fixture *f, struct input *in)
{
	unsigned index = take_field(in);
	uint64_t value = take_value(in);

	if (vmcs_field_type(vmcs_fields[index].encoding) == VMCS_TYPE_GUEST &&
	    index != VMCS_INDEX_VMCS_LINK_POINTER &&
	    vmx_features_have(f->fake.hw.features, (enum vmx_feature)vmcs_fields[index].exists))
		fake_vmcs_at(&f->fake, HPA02(f))->field[index] = value;
}

static void l2_exits(struct fixture *f, struct input *in)
{
	uint32_t reason = (uint32_t)take(in, 1) % EXIT_REASON_COUNT;
	unsigned what = (unsigned)take(in, 1);

	if (what & 1)
		SET02(f, GUEST_PHYSICAL_ADDRESS, take_value(in));
	if (what & 2)
		SET02(f, EXIT_INSTRUCTION_INFO, take(in, 4));
	SET02(f, EXIT_INTERRUPTION_INFO, what & 4 ? take(in, 4) : 0);
	SET02(f, IDT_VECTORING_INFO, what & 8 ? take(in, 4) : 0);
	if (what & 16)
		SET02(f, GUEST_LINEAR_ADDRESS, take_value(in));
	if (what & 32)
		f->regs.gpr[REG_RDX] = vmcs_fields[take_field(in)].encoding;
	if (what & 64)
		f->regs.gpr[REG_RCX] = take_value(in);
	if (what & 128)
		f->regs.gpr[REG_RAX] = take_value(in);
	if (reason == EXIT_REASON_ENTRY_FAILURE_GUEST_STATE ||
	    reason == EXIT_REASON_ENTRY_FAILURE_MSR_LOADING ||
	    reason == EXIT_REASON_ENTRY_FAILURE_MACHINE_CHECK)
		reason |= EXIT_REASON_ENTRY_FAILURE;
	if (l2_exit(f, reason, take(in, 2)) == SHADOW_L0)
		shadow_l2_absorbed(&f->v);
}

static void l2_acts(struct fixture *f, struct input *in, unsigned what)
{
	*f->v.launched = true;
	switch (what % 16) {
	case 0:
		change_l2(f, in);
		break;
	case 1:
		(void)shadow_l2_nmi(&f->v);
		break;
	case 2:
		(void)shadow_l2_init(&f->v);
		break;
	case 3:
		poke_ept(f, in);
		break;
	case 4:
		poke_any(f, in);
		break;
	case 5:
		if (f->fake.watches)
			shadow_page_written(
			    &f->v, (struct l1_gpa){f->fake.watched[take(in, 1) % FAKE_EXCEPTIONS]});
		break;
	case 6:
		shadow_entry_failed(&f->v, &(struct vmx_result){.outcome = VMX_FAIL_VALID,
								.error = VMX_ERROR_ENTRY_CONTROLS});
		break;
	default:
		l2_exits(f, in);
	}
}

void fuzz_shadow(const uint8_t *bytes, size_t size)
{
	struct input in = { bytes, size };
	unsigned features = (unsigned)take(&in, 1);
	struct fixture *f = shadow_start(features & 0x7f, features & 0x80);

	f->fake.pool_limit = f->fake.pool_used + (unsigned)take(&in, 1) % 64;
	for (unsigned i = 0; i < EVENTS_MAX && in.size && !f->v.dead; i++) {
		unsigned what = (unsigned)take(&in, 1);

		fake_forget(&f->fake);
		if (f->v.in_l2)
			l2_acts(f, &in, what);
		else
			l1_acts(f, &in, what);
		if (!f->v.dead)
			invariants_check(f);
		if (!f->v.dead && f->v.in_l2 && (what & 0x80))
			invariants_check_ept02(f);
	}
	if (!f->v.dead && f->v.in_l2)
		invariants_check_ept02(f);
}
