/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The fake environment of shadow/'s tests; limits in the header.
 */
#include "tests/shadow/fake_env.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct fake_env *fake_of(struct shadow_env *env)
{
	return (struct fake_env *)env;
}

static void record(struct fake_env *f, enum fake_op op, uint64_t a, uint64_t b)
{
	assert(f->events < FAKE_HISTORY);
	f->history[f->events++] = (struct fake_event){op, a, b, f->current ? f->current->hpa : 0};
}

static const struct fake_page *page_at(const struct fake_env *f, uint64_t gpa)
{
	for (unsigned i = 0; i < FAKE_EXCEPTIONS; i++)
		if (f->page[i].gpa == PAGE_BASE(gpa))
			return &f->page[i];
	return NULL;
}

static void touch(struct fake_env *f, uint64_t gpa)
{
	f->touched[gpa / PAGE_SIZE / 64] |= BIT64(gpa / PAGE_SIZE % 64);
}

/* A 2-MB page with an exception in it is mapped by 4-KB pages. */
static bool is_split(const struct fake_env *f, uint64_t gpa)
{
	for (unsigned i = 0; i < FAKE_EXCEPTIONS; i++)
		if (f->page[i].gpa != UINT64_MAX && f->page[i].gpa >> 21 == gpa >> 21)
			return true;
	return false;
}

static bool translate(struct shadow_env *env, struct l1_gpa gpa, struct shadow_mapping *m)
{
	struct fake_env *f = fake_of(env);
	const struct fake_page *page = page_at(f, gpa.value);

	if (page ? page->hole : gpa.value >= FAKE_RAM_SIZE)
		return false;
	*m = (struct shadow_mapping){
	    .hpa = {gpa.value + FAKE_RAM_HPA},
	    .size = is_split(f, gpa.value) ? PAGE_SIZE : BIT64(21),
	    .rights = page ? page->rights : EPT_RWX,
	    .type = page && page->mmio ? EPT_MT_UC : EPT_MT_WB,
	};
	return true;
}

static void *pointer(struct shadow_env *env, struct l1_gpa gpa, unsigned length)
{
	struct fake_env *f = fake_of(env);
	const struct fake_page *page = page_at(f, gpa.value);

	assert(length > 0);
	if (gpa.value >= FAKE_RAM_SIZE || (page && (page->hole || page->mmio)) ||
	    PAGE_OFFSET(gpa.value) + length > PAGE_SIZE)
		return NULL;
	touch(f, gpa.value);
	return f->ram + gpa.value;
}

static bool watch(struct shadow_env *env, struct l1_gpa page)
{
	struct fake_env *f = fake_of(env);

	if (!f->can_watch)
		return false;
	f->watched[f->watches++ % FAKE_EXCEPTIONS] = page.value;
	return true;
}

static bool page_alloc(struct shadow_env *env, struct shadow_page *page)
{
	struct fake_env *f = fake_of(env);

	if (f->pool_used >= f->pool_limit)
		return false;
	for (unsigned i = 0; i < FAKE_POOL_PAGES; i++) {
		if (f->used[i])
			continue;
		f->used[i] = true;
		f->pool_used++;
		if (f->pool_used > f->pool_peak)
			f->pool_peak = f->pool_used;
		page->va = f->pool + i * PAGE_SIZE;
		page->hpa.value = FAKE_POOL_HPA + i * PAGE_SIZE;
		memset(page->va, 0, PAGE_SIZE);
		return true;
	}
	return false;
}

/* A page that is given back is no VMCS any more, least of all the current one. */
static void forget_vmcs(struct fake_env *f, uint64_t hpa)
{
	for (unsigned i = 0; i < FAKE_VMCS_COUNT; i++)
		if (f->vmcs[i].hpa == hpa) {
			assert(f->current != &f->vmcs[i]);
			f->vmcs[i].hpa = 0;
		}
}

static void page_free(struct shadow_env *env, struct shadow_page page)
{
	struct fake_env *f = fake_of(env);
	uint64_t i = (page.hpa.value - FAKE_POOL_HPA) / PAGE_SIZE;

	assert(i < FAKE_POOL_PAGES && f->used[i] && page.va == f->pool + i * PAGE_SIZE);
	forget_vmcs(f, page.hpa.value);
	memset(page.va, 0xdb, PAGE_SIZE); /* stale use shows */
	f->used[i] = false;
	f->pool_used--;
}

static uint64_t *field_at(struct fake_env *f, uint32_t encoding)
{
	int index = vmcs_field_index(encoding);

	assert(f->current && index >= 0);
	assert(vmx_features_have(f->hw.features, (enum vmx_feature)vmcs_fields[index].exists));
	return &f->current->field[index];
}

static uint64_t vmcs_read(struct shadow_env *env, uint32_t encoding)
{
	record(fake_of(env), FAKE_READ, encoding, 0);
	return *field_at(fake_of(env), encoding);
}

static void vmcs_write(struct shadow_env *env, uint32_t encoding, uint64_t value)
{
	record(fake_of(env), FAKE_WRITE, encoding, value);
	*field_at(fake_of(env), encoding) = value;
}

struct list_row {
	enum shadow_list list;
	uint8_t index;
};

static const struct list_row list_rows[] = {
#define ROW(list_, name) {SHADOW_LIST_##list_, VMCS_INDEX_##name},
#define LIST_L2_EXIT(name) ROW(L2_EXIT, name)
#define LIST_L2_RARE(name) ROW(L2_RARE, name)
#define LIST_L1_STATE(name) ROW(L1_STATE, name)
#define LIST_L1_WRITES(name) ROW(L1_WRITES, name)
#define LIST_L1_EVENT(name) ROW(L1_EVENT, name)
#define LIST_L1_ENTRY(name) ROW(L1_ENTRY, name)
#define LIST_REGISTERS(name) ROW(REGISTERS, name)
#define LIST_L1_LOAD(name) ROW(L1_LOAD, name)
#include "shadow/lists.def"
#undef ROW
};
#define LIST_ROWS (sizeof(list_rows) / sizeof(list_rows[0]))

static uint64_t vmcs_read_list(struct shadow_env *env, enum shadow_list list, uint64_t *field)
{
	struct fake_env *f = fake_of(env);
	uint64_t changed = 0, bit = 1;

	record(f, FAKE_READ_LIST, list, 0);
	for (size_t i = 0; i < LIST_ROWS; i++) {
		unsigned index = list_rows[i].index;
		uint64_t value;

		if (list_rows[i].list != list)
			continue;
		value = *field_at(f, vmcs_fields[index].encoding);
		if (field[index] != value)
			changed |= bit;
		field[index] = value;
		bit <<= 1;
	}
	return changed;
}

static void vmcs_write_list(struct shadow_env *env, enum shadow_list list, const uint64_t *value)
{
	for (size_t i = 0; i < LIST_ROWS; i++)
		if (list_rows[i].list == list)
			env->vmcs_write(env, vmcs_fields[list_rows[i].index].encoding, *value++);
}

struct fake_vmcs *fake_vmcs_at(struct fake_env *f, uint64_t hpa)
{
	struct fake_vmcs *free = NULL;

	for (unsigned i = 0; i < FAKE_VMCS_COUNT; i++) {
		if (f->vmcs[i].hpa == hpa)
			return &f->vmcs[i];
		if (!f->vmcs[i].hpa && !free)
			free = &f->vmcs[i];
	}
	assert(free);
	*free = (struct fake_vmcs){.hpa = hpa};
	return free;
}

static void vmcs_format(struct shadow_env *env, struct shadow_page page, bool is_shadow)
{
	struct fake_vmcs *vmcs = fake_vmcs_at(fake_of(env), page.hpa.value);

	*vmcs = (struct fake_vmcs){.hpa = page.hpa.value, .shadow = is_shadow};
}

static void vmptrld(struct shadow_env *env, const struct hpa *vmcs)
{
	struct fake_env *f = fake_of(env);

	record(f, FAKE_VMPTRLD, vmcs->value, 0);
	f->current = fake_vmcs_at(f, vmcs->value);
}

static void vmclear(struct shadow_env *env, struct hpa vmcs)
{
	struct fake_env *f = fake_of(env);

	record(f, FAKE_VMCLEAR, vmcs.value, 0);
	if (f->current && f->current->hpa == vmcs.value)
		f->current = NULL;
}

static void invept(struct shadow_env *env, unsigned type, uint64_t eptp)
{
	record(fake_of(env), FAKE_INVEPT, type, eptp);
}

static void invvpid(struct shadow_env *env, unsigned type, uint16_t vpid, uint64_t linear)
{
	assert(type == INVVPID_ALL || vpid);
	record(fake_of(env), FAKE_INVVPID, type, vpid);
}

static bool fake_rdmsr(struct shadow_env *env, uint32_t msr, uint64_t *value)
{
	struct fake_env *f = fake_of(env);

	for (unsigned i = 0; i < f->msrs; i++)
		if (f->msr[i].index == msr) {
			*value = f->msr[i].value;
			return true;
		}
	return false;
}

static bool fake_wrmsr(struct shadow_env *env, uint32_t msr, uint64_t value)
{
	uint64_t old;

	if (!fake_rdmsr(env, msr, &old))
		return false;
	fake_set_msr(fake_of(env), msr, value);
	return true;
}

static uint64_t rdtsc(struct shadow_env *env)
{
	return fake_of(env)->tsc;
}

static void set_cr2(struct shadow_env *env, uint64_t linear)
{
	fake_of(env)->cr2 = linear;
}

static void note(struct shadow_env *env, const char *what, uint64_t a, uint64_t b)
{
	strncpy(fake_of(env)->noted, what, sizeof(fake_of(env)->noted) - 1);
}

vmx_features fake_all_features(void)
{
	return (BIT64(VMX_FEATURE_COUNT) - 1) & ~VMX_FEATURE_BIT(VMX_FEATURE_ENCLS_EXITING);
}

static void init_callbacks(struct fake_env *f)
{
	f->env = (struct shadow_env){
	    .translate = translate,
	    .pointer = pointer,
	    .watch = watch,
	    .page_alloc = page_alloc,
	    .page_free = page_free,
	    .pool_va = (uintptr_t)f->pool,
	    .pool_hpa = FAKE_POOL_HPA,
	    .vmcs_read_list = vmcs_read_list,
	    .vmcs_write_list = vmcs_write_list,
	    .vmcs_read = vmcs_read,
	    .vmcs_write = vmcs_write,
	    .vmcs_format = vmcs_format,
	    .vmptrld = vmptrld,
	    .vmclear = vmclear,
	    .invept = invept,
	    .invvpid = invvpid,
	    .rdmsr = fake_rdmsr,
	    .wrmsr = fake_wrmsr,
	    .rdtsc = rdtsc,
	    .set_cr2 = set_cr2,
	    .note = note,
	};
}

void fake_env_init(struct fake_env *f, vmx_features features)
{
	memset(f, 0, sizeof(*f));
	f->ram = calloc(1, FAKE_RAM_SIZE);
	f->pool = aligned_alloc(PAGE_SIZE, FAKE_POOL_PAGES * PAGE_SIZE);
	assert(f->ram && f->pool);
	f->pool_limit = FAKE_POOL_PAGES;
	f->can_watch = true;
	for (unsigned i = 0; i < FAKE_EXCEPTIONS; i++)
		f->page[i].gpa = UINT64_MAX;
	f->hw = (struct vmx_caps){
	    .features = features,
	    .cr4_valid = UINT64_C(0x3767ff),
	    .efer_valid = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE,
	    .debugctl_valid = 3,
	    .maxphyaddr = 36,
	};
	vmx_caps_from_features(&f->hw);
	init_callbacks(f);
}

void fake_env_free(struct fake_env *f)
{
	free(f->ram);
	free(f->pool);
}

void fake_forget(struct fake_env *f)
{
	f->events = 0;
}

unsigned fake_count(const struct fake_env *f, enum fake_op op, uint64_t a)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->events; i++)
		n += f->history[i].op == op && f->history[i].a == a;
	return n;
}

unsigned fake_count_all(const struct fake_env *f, enum fake_op op)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->events; i++)
		n += f->history[i].op == op;
	return n;
}

void fake_set_msr(struct fake_env *f, uint32_t index, uint64_t value)
{
	unsigned i = 0;

	while (i < f->msrs && f->msr[i].index != index)
		i++;
	assert(i < FAKE_MSRS);
	f->msr[i].index = index;
	f->msr[i].value = value;
	if (i == f->msrs)
		f->msrs++;
}

uint64_t fake_msr(const struct fake_env *f, uint32_t index)
{
	for (unsigned i = 0; i < f->msrs; i++)
		if (f->msr[i].index == index)
			return f->msr[i].value;
	return 0;
}

void fake_map(struct fake_env *f, uint64_t gpa, struct fake_page page)
{
	unsigned i = 0;

	while (i < FAKE_EXCEPTIONS && f->page[i].gpa != UINT64_MAX &&
	       f->page[i].gpa != PAGE_BASE(gpa))
		i++;
	assert(i < FAKE_EXCEPTIONS);
	page.gpa = PAGE_BASE(gpa);
	f->page[i] = page;
}

void fake_poke64(struct fake_env *f, uint64_t gpa, uint64_t value)
{
	assert(gpa + 8 <= FAKE_RAM_SIZE);
	touch(f, gpa);
	touch(f, gpa + 7);
	memcpy(f->ram + gpa, &value, 8);
}

uint64_t fake_peek64(const struct fake_env *f, uint64_t gpa)
{
	uint64_t value;

	assert(gpa + 8 <= FAKE_RAM_SIZE);
	memcpy(&value, f->ram + gpa, 8);
	return value;
}
