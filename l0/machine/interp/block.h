/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Decoded code: basic blocks in one arena, found by host-physical address and mode, and by RIP
 * through the jump cache. A block is an entry op that does its accounting, its ops, and a closing
 * op where the last instruction does not branch. Nothing is freed one by one: a dropped block only
 * becomes unreachable (its entry op leads back to the run loop); when the arena is full, everything
 * is dropped between blocks.
 */
#ifndef L0_MACHINE_INTERP_BLOCK_H
#define L0_MACHINE_INTERP_BLOCK_H

#include "l0/machine/interp/decode_insn.h"
#include "l0/machine/interp/exec.h"

#define BLOCK_MAX_INSNS 48
#define JUMP_BITS 12
#define BLOCK_HASH_BITS 15

/* Values of op->link (and op->disp of Jcc: its way on) that are no link. */
#define LINK_NONE 0 /* the target is on this page; not looked up yet */
#define LINK_FAR 1  /* on another page: by the jump cache */

struct block {
	uint64_t hpa;	       /* of the first byte; BLOCK_DEAD when dropped */
	uint64_t hpa_second;   /* of the second page if the instruction straddles, else 0; of a
				* dropped block what hpa was */
	uint32_t mode;	       /* with MODE_SINGLE if of one instruction */
	uint32_t length;       /* bytes of code */
	uint32_t hash_next;    /* arena offsets, 0: end */
	uint32_t page_next[2]; /* next block of the first and of the second page */
	uint32_t count;	       /* ops, the entry and closing ones included */
	/* [0]: entry; cycles and off are the block's cycles and instructions, imm64 both as the
	 * clock counts them (of a dropped block: more than it can hold), row the page offset, vvvv
	 * whether no flag is looked at before it is overwritten */
	struct op ops[];
};
#define BLOCK_DEAD UINT64_MAX

struct jump {
	uint64_t rip, key;
	const struct op *entry;
	uint64_t pad;
};

/* Translations for fetch, valid for one generation. Nothing is evicted but everything at once, and
 * then the jump cache goes too: so it is the same pages that are looked up, in the same order,
 * however code was cut into blocks and steps. */
#define FETCH_BITS 12
#define FETCH_MOST (3u << (FETCH_BITS - 2))
struct fetch_entry {
	uint64_t key; /* linear page | MMU tag */
	uint64_t generation;
	const uint8_t *host; /* of the page, NULL: not RAM */
	uint64_t hpa;
};

/* Which code a physical page holds. */
struct code_page {
	uint64_t lines; /* bit per 64 bytes */
	uint32_t first; /* arena offset of a block, 0: none */
	bool writable; /* a TLB entry may let writes straight at it */
};

struct blocks {
	struct jump jumps[1 << JUMP_BITS];
	uint8_t *arena;
	uint32_t used, size;
	uint32_t hash[1 << BLOCK_HASH_BITS];
	struct fetch_entry fetch[1 << FETCH_BITS];
	uint64_t fetch_generation,
	    fetch_epoch; /* epoch: of the MMU, for which the generation is good */
	unsigned fetch_count;
	struct code_page *pages;
	uint64_t page_count;
	/* An edge that has no link yet, to be linked by the run loop if it is what comes next. */
	struct op *edge;
	bool edge_taken;
	uint64_t edge_rip;
	struct op *dead; /* entry of a dropped block that was reached, to be forwarded likewise */
	uint64_t epoch;	 /* of the jump cache, with that of the MMU */
	const struct block *running;
	struct decode_env env;
	uint64_t built, dropped, resets; /* counters */
	/* where build.c puts a block together */
	uint64_t scratch[(sizeof(struct block) + (BLOCK_MAX_INSNS + 2) * sizeof(struct op)) / 8];
};

bool blocks_create(struct cpu *cpu) __attribute__((warn_unused_result));
void blocks_destroy(struct cpu *cpu);
/* As blocks_create leaves it, in the memory that it has. */
void blocks_restart(struct cpu *cpu);
/* The block at cpu_rip in cpu->mode | extra (MODE_SINGLE or 0); builds it when new. May raise #PF,
 * #GP. */
const struct block *blocks_find(struct cpu *cpu, uint32_t extra);
/* Puts a copy of a new block (its indexes not filled in) into the arena and all indexes; drops
 * everything else first if the arena is full. Between blocks only. */
const struct block *blocks_insert(struct cpu *cpu, const struct block *block);
void blocks_drop_all(struct cpu *cpu);
/* Host pointer to the code byte at `linear`, its physical address in *hpa; NULL: not RAM. Raises
 * #PF. */
const uint8_t *blocks_fetch(struct cpu *cpu, uint64_t linear, uint64_t *hpa);
/* Sets cpu->jump_key for the present tag, mode and epoch. */
void blocks_refresh_key(struct cpu *cpu);

/* build.c: decodes a block that starts at `host` (NULL: no RAM there), physical address `hpa`. */
const struct block *block_build(struct cpu *cpu, const uint8_t *host, uint64_t hpa, uint64_t linear,
				uint32_t mode);
/* specialize.c: sets op->fn and what its form needs. */
void op_specialize(struct op *op, uint32_t mode, bool live);

/* block.c: the op's edges lead elsewhere than before; handlers follow. */
void op_edges_changed(struct op *op);

static inline struct jump *jump_slot(struct cpu *cpu, uint64_t rip)
{
	uint64_t hash = rip ^ rip >> JUMP_BITS ^ cpu->jump_key;

	return &cpu->blocks->jumps[hash & ((1 << JUMP_BITS) - 1)];
}

static inline uint32_t block_offset(const struct blocks *blocks, const struct block *block)
{
	return (uint32_t)((const uint8_t *)block - blocks->arena);
}

static inline struct block *block_at(const struct blocks *blocks, uint32_t offset)
{
	return offset ? (struct block *)(blocks->arena + offset) : NULL;
}

/* The entry op of the block that `op` belongs to; nth counts instructions, one op each. */
static inline const struct op *op_entry(const struct op *op)
{
	return op - op->nth - 1;
}

static inline const struct block *op_block(const struct op *op)
{
	return (const struct block *)((const char *)op_entry(op) - offsetof(struct block, ops));
}

#endif
