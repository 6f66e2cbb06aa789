/* SPDX-License-Identifier: BSD-2-Clause
 *
 * struct shadow_env over real memory and real VMX instructions. Transfer lists are unrolled at
 * compile time, so a field costs a VMREAD and a store.
 */
#include "l0/hv/ept01.h"
#include "l0/hv/hv.h"
#include "l0/hv/hw.h"
#include "l0/hv/watch.h"

static bool translate(struct shadow_env *env, struct l1_gpa gpa, struct shadow_mapping *mapping)
{
	const struct range *range;

	if (!ept01_translate(gpa, &mapping->hpa, &mapping->size, &range))
		return false;
	mapping->rights = range->rights;
	/* A page of its own, so that the watch costs its neighbours nothing. */
	if (watch_overlaps(gpa, mapping->size)) {
		mapping->size = PAGE_SIZE;
		if (watch_overlaps(gpa, PAGE_SIZE))
			mapping->rights &= ~EPT_W;
	}
	mapping->type = range->ram ? EPT_MT_WB : EPT_MT_UC;
	return true;
}

static void *pointer(struct shadow_env *env, struct l1_gpa gpa, unsigned length)
{
	const struct range *range = range_find(gpa);

	if (!range || !range->ram || PAGE_OFFSET(gpa.value) + length > PAGE_SIZE)
		return NULL;
	return memory_pointer(gpa.value - range->gpa + range->hpa);
}

static bool watch(struct shadow_env *env, struct l1_gpa page)
{
	return watch_page(page, vmcs_get(&hv_vcpu.vmcs01, EPT_POINTER));
}

static bool page_alloc(struct shadow_env *env, struct shadow_page *page)
{
	page->va = pool_alloc();
	if (page->va)
		page->hpa.value = memory_address(page->va);
	return page->va;
}

static void page_free(struct shadow_env *env, struct shadow_page page)
{
	pool_free(page.va);
}

/* A field that holds what it held costs four instructions this way; what is new is stored aside. */
#define READ(name)                                                                                 \
	value = hw_vmread(VMCS_##name);                                                            \
	if (__builtin_expect(value != field[VMCS_INDEX_##name], 0)) {                              \
		field[VMCS_INDEX_##name] = value;                                                  \
		changed |= bit;                                                                    \
	}                                                                                          \
	bit <<= 1;

static uint64_t read_l2_exit(uint64_t *field)
{
	uint64_t changed = 0, bit = 1, value;
#define LIST_L2_EXIT READ
#include "shadow/lists.def"
	return changed;
}

static uint64_t read_l2_rare(uint64_t *field)
{
	uint64_t changed = 0, bit = 1, value;
#define LIST_L2_RARE READ
#include "shadow/lists.def"
	return changed;
}

static uint64_t read_l1_state(uint64_t *field)
{
	uint64_t changed = 0, bit = 1, value;
#define LIST_L1_STATE READ
#include "shadow/lists.def"
	return changed;
}

static uint64_t read_l1_writes(uint64_t *field)
{
	uint64_t changed = 0, bit = 1, value;
#define LIST_L1_WRITES READ
#include "shadow/lists.def"
	return changed;
}

static uint64_t read_l1_event(uint64_t *field)
{
	uint64_t changed = 0, bit = 1, value;
#define LIST_L1_EVENT READ
#include "shadow/lists.def"
	return changed;
}

static uint64_t read_l1_entry(uint64_t *field)
{
	uint64_t changed = 0, bit = 1, value;
#define LIST_L1_ENTRY READ
#include "shadow/lists.def"
	return changed;
}

static uint64_t read_registers(uint64_t *field)
{
	uint64_t changed = 0, bit = 1, value;
#define LIST_REGISTERS READ
#include "shadow/lists.def"
	return changed;
}

static uint64_t vmcs_read_list(struct shadow_env *env, enum shadow_list list, uint64_t *field)
{
	static uint64_t (*const readers[SHADOW_LIST_COUNT])(uint64_t *field) = {
		[SHADOW_LIST_L2_EXIT] = read_l2_exit,
		[SHADOW_LIST_L2_RARE] = read_l2_rare,
		[SHADOW_LIST_L1_STATE] = read_l1_state,
		[SHADOW_LIST_L1_WRITES] = read_l1_writes,
		[SHADOW_LIST_L1_EVENT] = read_l1_event,
		[SHADOW_LIST_L1_ENTRY] = read_l1_entry,
		[SHADOW_LIST_REGISTERS] = read_registers,
	};

	return readers[list](field);
}

static void vmcs_write_list(struct shadow_env *env, enum shadow_list list, const uint64_t *value)
{
#define LIST_L1_LOAD(name) hw_vmwrite(VMCS_##name, *value++);
#include "shadow/lists.def"
}

static uint64_t vmcs_read(struct shadow_env *env, uint32_t encoding)
{
	return hw_vmread(encoding);
}

static void vmcs_write(struct shadow_env *env, uint32_t encoding, uint64_t value)
{
	hw_vmwrite(encoding, value);
}

static void vmcs_format(struct shadow_env *env, struct shadow_page page, bool is_shadow)
{
	uint32_t *revision = page.va;

	*revision = (uint32_t)(vmx_cap(&hv.machine.caps, BASIC) & VMX_BASIC_REVISION);
	if (is_shadow)
		*revision |= VMCS_SHADOW_INDICATOR;
}

/* These operands are ours: a refusal is our own mistake. */
static void must(bool good, const char *insn, uint64_t operand)
{
	uint64_t error = 0;

	if (__builtin_expect(good, 1))
		return;
	(void)hw_try_vmread(VMCS_INSTRUCTION_ERROR, &error); /* there may be no current VMCS */
	hv_panic("%s of %lx failed with error %u", insn, operand, (unsigned)error);
}

static void vmptrld(struct shadow_env *env, const struct hpa *vmcs)
{
	must(hw_vmptrld(&vmcs->value), "VMPTRLD", vmcs->value);
}

static void vmclear(struct shadow_env *env, struct hpa vmcs)
{
	must(hw_vmclear(&vmcs.value), "VMCLEAR", vmcs.value);
}

/* A CPU without INVEPT or INVVPID flushes at every entry and exit instead. */
static void invept(struct shadow_env *env, unsigned type, uint64_t eptp)
{
	if (machine_has(&hv.machine, VMX_FEATURE_INVEPT))
		must(hw_invept(type, eptp), "INVEPT", eptp);
}

static void invvpid(struct shadow_env *env, unsigned type, uint16_t vpid, uint64_t linear)
{
	if (machine_has(&hv.machine, VMX_FEATURE_INVVPID))
		must(hw_invvpid(type, vpid, linear), "INVVPID", vpid);
}

static bool env_rdmsr(struct shadow_env *env, uint32_t msr, uint64_t *value)
{
	return msr_read(&hv_vcpu, msr, value);
}

static bool env_wrmsr(struct shadow_env *env, uint32_t msr, uint64_t value)
{
	return msr_write(&hv_vcpu, msr, value);
}

static uint64_t rdtsc(struct shadow_env *env)
{
	return hw_rdtsc();
}

static void set_cr2(struct shadow_env *env, uint64_t linear)
{
	hw_write_cr2(linear);
}

static void note(struct shadow_env *env, const char *what, uint64_t a, uint64_t b)
{
	console_note("abyme: %s %lx %lx\n", what, a, b);
}

static struct shadow_env environment = {
	.translate = translate,
	.pointer = pointer,
	.watch = watch,
	.page_alloc = page_alloc,
	.page_free = page_free,
	.pool_va = HV_PHYSICAL,
	.pool_hpa = 0,
	.vmcs_read_list = vmcs_read_list,
	.vmcs_write_list = vmcs_write_list,
	.vmcs_read = vmcs_read,
	.vmcs_write = vmcs_write,
	.vmcs_format = vmcs_format,
	.vmptrld = vmptrld,
	.vmclear = vmclear,
	.invept = invept,
	.invvpid = invvpid,
	.rdmsr = env_rdmsr,
	.wrmsr = env_wrmsr,
	.rdtsc = rdtsc,
	.set_cr2 = set_cr2,
	.note = note,
};

void env_start(struct vcpu *vcpu)
{
	struct shadow_l0 l0 = {
		.env = &environment,
		.hw = &hv.machine.caps,
		.vmcs01 = &vcpu->vmcs01,
		.vmcs01_hpa = {vcpu->vmcs01_hpa},
		.vmcs01_launched = &vcpu->launched,
		.msr_bitmap = vcpu->msr_bitmap,
		.io_bitmap_a = vcpu->io_bitmap_a,
		.io_bitmap_b = vcpu->io_bitmap_b,
	};

	if (!shadow_init(&vcpu->shadow, &l0))
		hv_refuse("too little memory for nested VMX");
	/* Firmware that has locked the register has done so for L1, too. */
	if (hv.machine.feature_control & FEATURE_CONTROL_LOCKED)
		(void)shadow_wrmsr(&vcpu->shadow, MSR_IA32_FEATURE_CONTROL,
				   FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX_OUTSIDE_SMX);
}
