/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The block cache: arena, indexes by physical address and by page, invalidation by stores.
 */
#include "l0/machine/interp/block.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_SIZE (UINT32_C(48) << 20)
#define ARENA_START 64 /* offset 0 means none */

static uint32_t hash_of(uint64_t hpa, uint32_t mode)
{
	uint64_t h = (hpa ^ (uint64_t)mode << 48) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)(h >> (64 - BLOCK_HASH_BITS));
}

static size_t block_size(const struct block *block)
{
	return sizeof(*block) + block->count * sizeof(struct op);
}

/* ---- pages ---- */

static struct code_page *page_of(const struct cpu *cpu, uint64_t hpa)
{
	const struct memory *memory = &cpu->machine->memory;
	uint64_t index = hpa >> PAGE_SHIFT;

	if (hpa >= memory->low_size) {
		if (hpa < PCI_HOLE_END || hpa - PCI_HOLE_END >= memory->high_size)
			return NULL;
		index = (memory->low_size >> PAGE_SHIFT) + ((hpa - PCI_HOLE_END) >> PAGE_SHIFT);
	}
	return &cpu->blocks->pages[index];
}

/* Which of a block's two page links belongs to the page of `hpa`. */
static unsigned page_side(const struct block *block, uint64_t hpa)
{
	return PAGE_BASE(block->hpa) == PAGE_BASE(hpa) ? 0 : 1;
}

/* Bits of the 64-byte lines of a page that [from, to) touches; offsets within the page. */
static uint64_t lines_of(uint64_t from, uint64_t to)
{
	unsigned first = (unsigned)(from >> 6), last = (unsigned)((to - 1) >> 6);

	return (UINT64_MAX << first) & (UINT64_MAX >> (63 - last));
}

/* The part of the block on the page of `hpa`, as offsets in it. */
static void block_extent(const struct block *block, uint64_t hpa, uint64_t *from, uint64_t *to)
{
	uint64_t start = PAGE_OFFSET(block->hpa), end = start + block->length;

	if (page_side(block, hpa) == 0) {
		*from = start;
		*to = end < PAGE_SIZE ? end : PAGE_SIZE;
	} else {
		*from = 0;
		*to = end - PAGE_SIZE;
	}
}

static void page_add(struct cpu *cpu, struct block *block, uint64_t hpa)
{
	struct blocks *blocks = cpu->blocks;
	struct code_page *page = page_of(cpu, hpa);
	uint64_t from, to;

	block_extent(block, hpa, &from, &to);
	block->page_next[page_side(block, hpa)] = page->first;
	if (!page->first && page->writable) {
		page->writable = false;
		mmu_protect_code(cpu, PAGE_BASE(hpa));
	}
	page->first = block_offset(blocks, block);
	page->lines |= lines_of(from, to);
}

static void page_remove(struct cpu *cpu, struct block *block, uint64_t hpa)
{
	struct code_page *page = page_of(cpu, hpa);
	uint32_t *link = &page->first;
	uint64_t from, to;

	page->lines = 0;
	while (*link) {
		struct block *other = block_at(cpu->blocks, *link);

		if (other == block) {
			*link = block->page_next[page_side(block, hpa)];
			continue;
		}
		block_extent(other, hpa, &from, &to);
		page->lines |= lines_of(from, to);
		link = &other->page_next[page_side(other, hpa)];
	}
}

bool blocks_page_has_code(const struct cpu *cpu, uint64_t hpa)
{
	const struct code_page *page = page_of(cpu, hpa);

	return page && page->first;
}

bool blocks_admit_writes(struct cpu *cpu, uint64_t hpa)
{
	struct code_page *page = page_of(cpu, hpa);

	if (page && page->first)
		return false;
	if (page)
		page->writable = true;
	return true;
}

/* ---- dropping ---- */

static void hash_remove(struct blocks *blocks, struct block *block)
{
	uint32_t *link = &blocks->hash[hash_of(block->hpa, block->mode)];

	while (block_at(blocks, *link) != block)
		link = &block_at(blocks, *link)->hash_next;
	*link = block->hash_next;
}

static void drop(struct cpu *cpu, struct block *block)
{
	struct blocks *blocks = cpu->blocks;

	hash_remove(blocks, block);
	page_remove(cpu, block, block->hpa);
	if (block->hpa_second)
		page_remove(cpu, block, block->hpa_second);
	block->ops[0].imm64 = INT64_MIN;
	block->ops[0].fn = op_enter_dead;
	block->hpa_second = block->hpa;
	block->hpa = BLOCK_DEAD;
	blocks->dropped++;
	if (cpu->in_block && op_entry(cpu->op) == block->ops)
		cpu->code_written = true;
}

static void page_written(struct cpu *cpu, uint64_t hpa, unsigned size)
{
	struct code_page *page = page_of(cpu, hpa);
	uint64_t start = PAGE_OFFSET(hpa), from, to;
	uint32_t offset;

	if (!page || !page->first || !(page->lines & lines_of(start, start + size)))
		return;
	for (offset = page->first; offset;) {
		struct block *block = block_at(cpu->blocks, offset);

		offset = block->page_next[page_side(block, hpa)];
		block_extent(block, hpa, &from, &to);
		if (start < to && from < start + size)
			drop(cpu, block);
	}
}

void blocks_written(struct cpu *cpu, uint64_t hpa, unsigned size)
{
	while (size) {
		uint64_t rest = PAGE_SIZE - PAGE_OFFSET(hpa);
		unsigned part = size < rest ? size : (unsigned)rest;

		page_written(cpu, hpa, part);
		hpa += part;
		size -= part;
	}
}

/* No page has code any more. */
static void pages_clear(struct cpu *cpu)
{
	struct blocks *blocks = cpu->blocks;
	uint32_t at = ARENA_START;

	while (at < blocks->used) {
		struct block *block = block_at(blocks, at);

		if (block->hpa != BLOCK_DEAD) {
			*page_of(cpu, block->hpa) = (struct code_page){0};
			if (block->hpa_second)
				*page_of(cpu, block->hpa_second) = (struct code_page){0};
		}
		at += (uint32_t)block_size(block);
	}
}

void blocks_drop_all(struct cpu *cpu)
{
	struct blocks *blocks = cpu->blocks;

	pages_clear(cpu);
	memset(blocks->hash, 0, sizeof(blocks->hash));
	memset(blocks->jumps, 0, sizeof(blocks->jumps));
	blocks->used = ARENA_START;
	blocks->edge = blocks->dead = NULL;
	blocks->resets++;
	cpu->op = NULL;
}

/* ---- the jump cache's key ---- */

void blocks_refresh_key(struct cpu *cpu)
{
	cpu->jump_key = cpu->mmu.tag | (uint64_t)cpu->mode << PAGE_SHIFT |
			(cpu->mmu.epoch + cpu->blocks->epoch) << 32;
}

void blocks_forget_jumps(struct cpu *cpu)
{
	struct blocks *blocks = cpu->blocks;

	if (!blocks)
		return;
	blocks->epoch++;
	blocks_refresh_key(cpu);
}

/* ---- adding and finding ---- */

static struct block *add(struct blocks *blocks, const struct block *from)
{
	struct block *block = (struct block *)(blocks->arena + blocks->used);

	if (blocks->size - blocks->used < block_size(from))
		return NULL;
	memcpy(block, from, block_size(from));
	blocks->used += (uint32_t)block_size(from);
	blocks->built++;
	return block;
}

static const struct block *index_block(struct cpu *cpu, struct block *block)
{
	uint32_t *head = &cpu->blocks->hash[hash_of(block->hpa, block->mode)];

	block->hash_next = *head;
	*head = block_offset(cpu->blocks, block);
	page_add(cpu, block, block->hpa);
	if (block->hpa_second)
		page_add(cpu, block, block->hpa_second);
	return block;
}

const struct block *blocks_insert(struct cpu *cpu, const struct block *from)
{
	struct block *block = add(cpu->blocks, from);

	if (!block) {
		blocks_drop_all(cpu);
		block = add(cpu->blocks, from);
	}
	return block->hpa == BLOCK_DEAD ? block : index_block(cpu, block);
}

/* ---- fetching ---- */

static void fetch_forget(struct cpu *cpu)
{
	struct blocks *blocks = cpu->blocks;

	blocks->fetch_generation++;
	blocks->fetch_count = 0;
	blocks->fetch_epoch = cpu->mmu.epoch;
}

/* The page's entry, or the free one that is to become it. */
static struct fetch_entry *fetch_slot(struct blocks *blocks, uint64_t key)
{
	uint64_t at = (key >> PAGE_SHIFT) ^ key * 37;

	for (;; at++) {
		struct fetch_entry *entry = &blocks->fetch[at & ((1 << FETCH_BITS) - 1)];

		if (entry->generation != blocks->fetch_generation || entry->key == key)
			return entry;
	}
}

/* The walk may raise; only then is an entry taken. */
static const struct fetch_entry *fetch_fill(struct cpu *cpu, uint64_t linear, uint64_t key)
{
	struct blocks *blocks = cpu->blocks;
	struct fetch_entry *entry;
	const uint8_t *host;
	uint64_t hpa;

	host = lin_fetch(cpu, linear, &hpa); /* CR2 of a fault is the byte's address */
	if (blocks->fetch_count == FETCH_MOST) {
		fetch_forget(cpu);
		blocks_forget_jumps(cpu);
	}
	entry = fetch_slot(blocks, key);
	*entry = (struct fetch_entry){key, blocks->fetch_generation,
				      host ? host - PAGE_OFFSET(linear) : NULL, PAGE_BASE(hpa)};
	blocks->fetch_count++;
	return entry;
}

const uint8_t *blocks_fetch(struct cpu *cpu, uint64_t linear, uint64_t *hpa)
{
	struct blocks *blocks = cpu->blocks;
	uint64_t key = PAGE_BASE(linear) | cpu->mmu.tag;
	const struct fetch_entry *entry;

	if (blocks->fetch_epoch != cpu->mmu.epoch)
		fetch_forget(cpu);
	entry = fetch_slot(blocks, key);
	if (entry->generation != blocks->fetch_generation)
		entry = fetch_fill(cpu, linear, key);
	*hpa = entry->hpa + PAGE_OFFSET(linear);
	return entry->host ? entry->host + PAGE_OFFSET(linear) : NULL;
}

/* The second page may have been remapped under a straddling instruction. */
static bool straddle_valid(struct cpu *cpu, const struct block *block, uint64_t linear)
{
	uint64_t hpa;

	if (!block->hpa_second)
		return true;
	blocks_fetch(cpu, PAGE_BASE(linear) + PAGE_SIZE, &hpa);
	return PAGE_BASE(hpa) == block->hpa_second;
}

static struct block *lookup(struct cpu *cpu, uint64_t hpa, uint32_t mode, uint64_t linear)
{
	struct blocks *blocks = cpu->blocks;
	struct block *block = block_at(blocks, blocks->hash[hash_of(hpa, mode)]);

	while (block &&
	       (block->hpa != hpa || block->mode != mode || !straddle_valid(cpu, block, linear)))
		block = block_at(blocks, block->hash_next);
	return block;
}

static bool flags_dead(const struct op *op, int32_t link)
{
	return (link & ~1) && ((const struct op *)((const char *)op + link))->vvvv;
}

void op_edges_changed(struct op *op)
{
	op_fuse(op, flags_dead(op, op->link) && flags_dead(op, op->disp));
}

/* A link holds in every address space because both ends lie on one page. */
static void link_edge(struct cpu *cpu, const struct block *block)
{
	struct blocks *blocks = cpu->blocks;
	struct op *edge = blocks->edge;
	const struct block *from = op_block(edge);
	int32_t link = (int32_t)((const char *)block->ops - (const char *)edge);

	if (from->mode != block->mode || PAGE_BASE(from->hpa) != PAGE_BASE(block->hpa))
		return;
	if (blocks->edge_taken)
		edge->link = link;
	else
		edge->disp = link;
	op_edges_changed(edge);
}

/* Whatever leads to a dropped block (a link, the jump cache) is meant for its successor. */
static void forward_dead(struct cpu *cpu, const struct block *block)
{
	struct op *dead = cpu->blocks->dead;
	const struct block *was = op_block(dead + 1);

	if (was->mode != block->mode || was->hpa_second != block->hpa)
		return;
	dead->link = (int32_t)((const char *)block->ops - (const char *)dead);
	dead->fn = op_enter_forward;
}

/* Blocks whose RIP decides alone: flat, on one page, not for stepping. */
static bool cacheable(const struct block *block)
{
	return (block->mode & (MODE_FLAT | MODE_SINGLE)) == MODE_FLAT && !block->hpa_second;
}

static const struct block *find_slow(struct cpu *cpu, uint64_t linear, uint32_t mode)
{
	const struct block *block;
	const uint8_t *host;
	uint64_t hpa;

	host = blocks_fetch(cpu, linear, &hpa);
	block = host ? lookup(cpu, hpa, mode, linear) : NULL;
	return block ? block : block_build(cpu, host, hpa, linear, mode);
}

/* Segments that are not flat: the block must lie within the CS limit, which it was not decoded for.
 */
static const struct block *find_limited(struct cpu *cpu, uint64_t rip, uint32_t mode)
{
	const struct segment *cs = &cpu->seg[SEG_CS];
	const struct block *block;

	if (rip > cs->limit)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	block = find_slow(cpu, (uint32_t)(cs->base + rip), mode);
	if (block->length - 1 <= cs->limit - rip)
		return block;
	block = find_slow(cpu, (uint32_t)(cs->base + rip), mode | MODE_SINGLE);
	if (block->length - 1 > cs->limit - rip && block->hpa != BLOCK_DEAD)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	return block;
}

const struct block *blocks_find(struct cpu *cpu, uint32_t extra)
{
	struct blocks *blocks = cpu->blocks;
	uint64_t rip = cpu_rip(cpu), resets = blocks->resets;
	uint32_t mode = cpu->mode | extra;
	const struct block *block;
	struct jump *jump;
	bool link = blocks->edge && blocks->edge_rip == rip && !extra;

	if (!(mode & MODE_FLAT))
		return find_limited(cpu, rip, mode);
	block = find_slow(cpu, rip, mode);
	if (!cacheable(block))
		return block;
	jump = jump_slot(cpu, rip);
	jump->rip = rip;
	jump->key = cpu->jump_key;
	jump->entry = block->ops;
	if (link && blocks->resets == resets)
		link_edge(cpu, block);
	if (blocks->dead && blocks->resets == resets)
		forward_dead(cpu, block);
	return block;
}

/* ---- life ---- */

static void start(struct cpu *cpu)
{
	struct blocks *blocks = cpu->blocks;

	blocks->used = ARENA_START;
	blocks->epoch = 1;
	blocks->fetch_generation = 1;
	insn_features_announced(cpu, blocks->env.announced);
}

bool blocks_create(struct cpu *cpu)
{
	const struct memory *memory = &cpu->machine->memory;
	struct blocks *blocks = calloc(1, sizeof(*blocks));

	if (!blocks)
		return false;
	blocks->size = ARENA_SIZE;
	blocks->arena = calloc(1, ARENA_SIZE);
	blocks->page_count = (memory->low_size + memory->high_size) >> PAGE_SHIFT;
	blocks->pages = calloc(blocks->page_count + 1, sizeof(*blocks->pages));
	cpu->blocks = blocks;
	if (!blocks->arena || !blocks->pages) {
		blocks_destroy(cpu);
		return false;
	}
	insn_table_init();
	start(cpu);
	return true;
}

void blocks_restart(struct cpu *cpu)
{
	struct blocks *blocks = cpu->blocks;
	uint8_t *arena = blocks->arena;
	struct code_page *pages = blocks->pages;
	uint32_t size = blocks->size;
	uint64_t page_count = blocks->page_count;

	pages_clear(cpu);
	memset(blocks, 0, sizeof(*blocks));
	blocks->arena = arena;
	blocks->size = size;
	blocks->pages = pages;
	blocks->page_count = page_count;
	start(cpu);
}

void blocks_destroy(struct cpu *cpu)
{
	if (!cpu->blocks)
		return;
	free(cpu->blocks->arena);
	free(cpu->blocks->pages);
	free(cpu->blocks);
	cpu->blocks = NULL;
}
