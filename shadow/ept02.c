/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Trees of EPT02 and their cache. Table pages are linked by hpa; a pool address becomes a pointer
 * by one addition (env_pool_pointer).
 */
#include "shadow/ept02.h"

/* One tree. A page full of these descriptors is the cache. */
struct ept02 {
	uint64_t eptp12; /* key; 0: free (no valid EPTP is 0) */
	uint64_t used;	 /* stamp of the last use */
	struct shadow_page root;
};
#define EPT02_COUNT (PAGE_SIZE / sizeof(struct ept02))
#define ROOT_LEVEL 3

static struct ept02 *find(struct shadow_vcpu *v, uint64_t eptp12)
{
	struct ept02 *cache = v->ept_cache.va;

	for (unsigned i = 0; i < EPT02_COUNT; i++)
		if (cache[i].eptp12 == eptp12)
			return &cache[i];
	return NULL;
}

static uint64_t eptp02_of(const struct ept02 *e)
{
	return e->root.hpa.value | EPTP_WALK_4 | EPTP_MT_WB |
	       (e->eptp12 & (EPTP_AD | EPTP_SSS));
}

static bool is_table(uint64_t entry, unsigned level)
{
	return level > 0 && (entry & EPT_RWX) && !(entry & EPT_PS);
}

/* Frees everything below a table of the given level and clears it. */
static void free_below(struct shadow_vcpu *v, uint64_t *table, unsigned level)
{
	for (unsigned i = 0; i < 512; i++) {
		if (is_table(table[i], level)) {
			struct hpa hpa = {table[i] & EPT_ADDRESS};
			struct shadow_page page = {env_pool_pointer(v->env, hpa), hpa};

			free_below(v, page.va, level - 1);
			v->env->page_free(v->env, page);
		}
		table[i] = 0;
	}
}

static void forget(struct shadow_vcpu *v, struct ept02 *e)
{
	free_below(v, e->root.va, ROOT_LEVEL);
	v->env->invept(v->env, INVEPT_SINGLE, eptp02_of(e));
}

static void forget_masked(struct shadow_vcpu *v, uint64_t eptp12, uint64_t mask)
{
	struct ept02 *cache = v->ept_cache.va;

	for (unsigned i = 0; i < EPT02_COUNT; i++)
		if (cache[i].eptp12 && !((cache[i].eptp12 ^ eptp12) & mask))
			forget(v, &cache[i]);
}

/* SDM 3C "INVEPT": the mappings associated with bits 51:12 of the EPTP, whatever the others are. */
void ept02_forget(struct shadow_vcpu *v, uint64_t eptp12)
{
	forget_masked(v, eptp12, EPT_ADDRESS);
}

void ept02_forget_all(struct shadow_vcpu *v)
{
	forget_masked(v, 0, 0);
}

static uint64_t running_eptp12(const struct shadow_vcpu *v)
{
	return v->in_l2 ? vmcs_get(&v->current->v12, EPT_POINTER) : 0;
}

static struct ept02 *least_recently_used(struct shadow_vcpu *v)
{
	struct ept02 *cache = v->ept_cache.va, *victim = NULL;

	for (unsigned i = 0; i < EPT02_COUNT; i++) {
		if (!cache[i].eptp12 || cache[i].eptp12 == running_eptp12(v))
			continue;
		if (!victim || cache[i].used < victim->used)
			victim = &cache[i];
	}
	return victim;
}

static bool has_tables(const struct ept02 *e)
{
	const uint64_t *root = e->root.va;

	for (unsigned i = 0; i < 512; i++)
		if (root[i])
			return true;
	return false;
}

bool ept02_evict(struct shadow_vcpu *v)
{
	struct ept02 *e = least_recently_used(v);

	if (e) {
		forget(v, e);
		vcpu_page_free(v, &e->root);
		e->eptp12 = 0;
		v->ept_generation++;
		return true;
	}
	e = v->in_l2 ? find(v, running_eptp12(v)) : NULL;
	if (!e || !has_tables(e))
		return false;
	forget(v, e);
	return true;
}

bool ept02_find(struct shadow_vcpu *v, uint64_t eptp12, uint64_t *eptp02)
{
	struct ept02 *e = find(v, eptp12);
	struct shadow_page root;

	if (!e) {
		if (!find(v, 0) && !ept02_evict(v))
			return false;
		if (!vcpu_page_alloc(v, &root))
			return false;
		e = find(v, 0);
		*e = (struct ept02){.eptp12 = eptp12, .root = root};
	}
	e->used = ++v->ept_clock;
	*eptp02 = eptp02_of(e);
	return true;
}

static unsigned level_of_size(uint64_t size)
{
	return size >= BIT64(30) ? 2 : size >= BIT64(21) ? 1 : 0;
}

/* Replaces what a leaf is about to overwrite: a subtree, or a leaf of other extent. */
static void clear_entry(struct shadow_vcpu *v, struct ept02 *e, uint64_t *entry, unsigned level)
{
	if (!*entry)
		return;
	if (is_table(*entry, level)) {
		struct hpa hpa = {*entry & EPT_ADDRESS};
		struct shadow_page page = {env_pool_pointer(v->env, hpa), hpa};

		free_below(v, page.va, level - 1);
		v->env->page_free(v->env, page);
	}
	*entry = 0;
	v->env->invept(v->env, INVEPT_SINGLE, eptp02_of(e));
}

static uint64_t *slot_in(uint64_t *table, struct l2_gpa gpa, unsigned level)
{
	return &table[gpa.value >> (PAGE_SHIFT + 9 * level) & 511];
}

/* Descends to the table of the wanted level, making tables on the way. NULL: no page free. */
static uint64_t *descend(struct shadow_vcpu *v, struct ept02 *e, struct l2_gpa gpa, unsigned level)
{
	uint64_t *table = e->root.va;

	for (unsigned at = ROOT_LEVEL; at > level; at--) {
		uint64_t *entry = slot_in(table, gpa, at);
		struct shadow_page page;

		if (!is_table(*entry, at)) {
			clear_entry(v, e, entry, at);
			if (!v->env->page_alloc(v->env, &page))
				return NULL;
			*entry = page.hpa.value | EPT_RWX | EPT_XU;
		}
		table = env_pool_pointer(v->env, (struct hpa){*entry & EPT_ADDRESS});
	}
	return table;
}

/* More rights on the same page need no INVEPT (SDM 3C "Guidelines for Use of the INVEPT
 * Instruction"); anything else drops the old leaf first. */
static bool only_adds_rights(uint64_t old, uint64_t leaf)
{
	return !((old ^ leaf) & (EPT_ADDRESS | EPT_MT | EPT_IPAT | EPT_PS)) &&
	       !(old & ~leaf & (EPT_RWX | EPT_XU | EPT_SSS));
}

bool ept02_map(struct shadow_vcpu *v, uint64_t eptp12, struct l2_gpa gpa, struct hpa hpa,
	       uint64_t size, uint64_t leaf)
{
	struct ept02 *e = find(v, eptp12);
	unsigned level = level_of_size(size);

	leaf |= (hpa.value & ~(size - 1)) | (level ? EPT_PS : 0);
	/* An eviction may take the very tables made so far, so the descent starts over after one. A
	 * pool that can't hold one path ends it. */
	for (unsigned attempt = 0; e && attempt < 8; attempt++) {
		uint64_t *table = descend(v, e, gpa, level), *entry;

		if (!table) {
			if (!ept02_evict(v) && !slot_evict(v))
				return false;
			continue;
		}
		entry = slot_in(table, gpa, level);
		if (is_table(*entry, level) || !only_adds_rights(*entry, leaf))
			clear_entry(v, e, entry, level);
		*entry = leaf;
		return true;
	}
	return false;
}

void ept02_unmap(struct shadow_vcpu *v, uint64_t eptp12, struct l2_gpa gpa)
{
	struct ept02 *e = find(v, eptp12);
	uint64_t *table = e ? e->root.va : NULL;

	for (unsigned level = ROOT_LEVEL; table; level--) {
		uint64_t *entry = slot_in(table, gpa, level);

		if (!is_table(*entry, level)) {
			clear_entry(v, e, entry, level);
			return;
		}
		table = env_pool_pointer(v->env, (struct hpa){*entry & EPT_ADDRESS});
	}
}

uint64_t ept02_peek(struct shadow_vcpu *v, uint64_t eptp12, struct l2_gpa gpa, uint64_t *size)
{
	struct ept02 *e = find(v, eptp12);
	uint64_t *table = e ? e->root.va : NULL;

	for (unsigned level = ROOT_LEVEL; table; level--) {
		uint64_t entry = *slot_in(table, gpa, level);

		if (!is_table(entry, level)) {
			*size = BIT64(PAGE_SHIFT + 9 * level);
			return entry;
		}
		table = env_pool_pointer(v->env, (struct hpa){entry & EPT_ADDRESS});
	}
	return 0;
}
