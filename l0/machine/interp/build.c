/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Building blocks: decode to the end of the block or page, find dead flags, choose handlers, fuse
 * compare and branch. A block never crosses a page, but for one straddling instruction that is a
 * block of its own.
 */
#include "l0/machine/interp/block.h"

#include <string.h>

struct builder {
	struct cpu *cpu;
	const uint8_t *host;
	uint64_t hpa, linear;
	uint32_t mode;
	unsigned available; /* bytes to the end of the page, or of the code segment if that comes
			       first */
	unsigned length;
	bool limited;	     /* the segment ends first */
	struct block *block; /* under construction */
	struct op *ops;	     /* its ops */
	unsigned insns;
	uint32_t cycles;
	bool ended, transient; /* transient: for one execution, not kept */
	bool flags_dead;       /* on entry */
};

static bool code64(const struct builder *b)
{
	return (b->mode & MODE_CODE) == MODE_CODE64;
}

/* #GP(0) if the first byte is beyond the CS limit, SDM 3A "Limit Checking". */
static void limit_available(struct builder *b)
{
	uint64_t rip = cpu_rip(b->cpu), limit = b->cpu->seg[SEG_CS].limit;

	b->available = (unsigned)(PAGE_SIZE - PAGE_OFFSET(b->linear));
	if (code64(b))
		return;
	if (rip > limit)
		cpu_fault_code(b->cpu, VECTOR_GP, 0);
	if (limit - rip + 1 < b->available) {
		b->available = (unsigned)(limit - rip + 1);
		b->limited = true;
	}
}

/* Ops count from the start of the page. */
static uint16_t page_offset(const struct builder *b)
{
	return (uint16_t)(PAGE_OFFSET(b->linear) + b->length);
}

static struct op *append(struct builder *b, const struct op *op, unsigned cycles)
{
	struct op *to = &b->ops[1 + b->insns];

	*to = *op;
	to->nth = (uint8_t)b->insns++;
	to->cycles = b->cycles;
	b->cycles += cycles;
	b->length += op->len;
	return to;
}

/* What cannot be executed ends the block with an op that raises the exception. */
static void append_bad(struct builder *b, op_fn fn)
{
	struct op op = {.fn = b->mode & MODE_ENDBRANCH ? op_no_endbranch : fn,
			.off = page_offset(b),
			.opsize = 4};

	append(b, &op, 1);
	b->length = b->available < 15 ? b->available : 15; /* all that may have been looked at */
	b->ended = true;
}

static void append_decoded(struct builder *b, const struct op *op)
{
	const struct insn_info *info = insn_info(op->row);

	append(b, op, info->row.cycles);
	b->ended = (info->row.attributes & INSN_END) ||
		   (b->mode & (MODE_SINGLE | MODE_ENDBRANCH)) || b->insns == BLOCK_MAX_INSNS;
}

static void append_status(struct builder *b, enum decode_status status, const struct op *op)
{
	if (status == DECODE_OK)
		append_decoded(b, op);
	else
		append_bad(b, status == DECODE_UNDEFINED ? op_undefined : op_too_long);
}

/* The first instruction runs over the end of the page: fetch the rest, which may fault. */
static void decode_straddling(struct builder *b)
{
	uint64_t second = PAGE_BASE(b->linear) + PAGE_SIZE, hpa = 0;
	uint8_t bytes[32] = {0};
	struct op op = {.off = page_offset(b)};
	const uint8_t *more;
	enum decode_status status;

	if (b->limited)
		cpu_fault_code(b->cpu, VECTOR_GP, 0);
	memcpy(bytes, b->host, b->available);
	more = blocks_fetch(b->cpu, code64(b) ? second : (uint32_t)second, &hpa);
	if (more)
		memcpy(bytes + b->available, more, 15);
	else
		memset(bytes + b->available, 0xff, 15);
	status = decode_insn(&b->cpu->blocks->env, bytes, b->available + 15, &op);
	append_status(b, status, &op);
	if (b->length <= b->available)
		b->length = b->available + 1; /* bad, as the bytes of the second page say */
	b->block->hpa_second = PAGE_BASE(hpa);
	b->transient = !more;
	b->ended = true;
}

static void decode_all(struct builder *b)
{
	struct blocks *blocks = b->cpu->blocks;

	blocks->env.mode = b->mode;
	while (!b->ended) {
		struct op op = {.off = page_offset(b)};
		enum decode_status status =
		    decode_insn(&blocks->env, b->host + b->length, b->available - b->length, &op);

		if (status == DECODE_TRUNCATED) {
			if (b->insns == 0)
				decode_straddling(b);
			return;
		}
		if (status != DECODE_OK && b->insns > 0)
			return; /* in a block of its own, after what comes before */
		append_status(b, status, &op);
	}
}

/* Code outside RAM: byte by byte from the device, for one execution. */
static void decode_device(struct builder *b)
{
	struct machine *machine = b->cpu->machine;
	struct op op = {.off = page_offset(b)};
	uint8_t bytes[15];
	enum decode_status status;

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)machine_mmio_read(machine, b->hpa + i, 1);
	b->available = sizeof(bytes);
	b->mode |= MODE_SINGLE;
	b->transient = true;
	b->cpu->blocks->env.mode = b->mode;
	status = decode_insn(&b->cpu->blocks->env, bytes, sizeof(bytes), &op);
	append_status(b, status, &op);
}

/* ---- dead flags ---- */

/* Whether the op may leave the block in the middle, where all flags must be right. */
static bool may_leave(const struct op *op, const struct insn_info *info)
{
	return !info->family ||
	       (op->flags & OP_MEMORY ? !(info->row.attributes & INSN_NOFAULT)
				      : (info->row.attributes & (INSN_STACK | INSN_END)) != 0);
}

/* A shift by 0 leaves the flags: then it passes them on. */
static uint32_t flags_read(const struct op *op, const struct insn_info *info)
{
	bool immediate = info->operands[1].method == 'I' || info->operands[1].method == '1';

	if (!(info->row.attributes & INSN_COUNT) ||
	    (immediate && (op->imm & (op->opsize == 8 ? 63 : 31))))
		return info->row.read;
	return info->row.read | info->row.written;
}

static void choose_handlers(struct builder *b)
{
	uint32_t live = RFLAGS_STATUS;

	for (unsigned i = b->insns; i > 0; i--) {
		struct op *op = &b->ops[i];
		const struct insn_info *info = insn_info(op->row);
		const struct insn_row *row = &info->row;

		if (op->fn) /* an op that raises an exception */
			continue;
		op_specialize(op, b->mode, !row->written || (row->written & live));
		live = (live & ~row->written) | flags_read(op, info);
		if (may_leave(op, info))
			live = RFLAGS_STATUS;
	}
	b->flags_dead = !live;
}

static void fuse(struct builder *b)
{
	if ((b->mode & (MODE_FLAT | MODE_SINGLE)) == MODE_FLAT)
		op_fuse(&b->ops[b->insns], false);
}

static void pair(struct builder *b)
{
	for (unsigned i = 1; i < b->insns; i++)
		if (op_pair(&b->ops[i], &b->ops[i + 1]))
			i++;
}

/* ---- assembling ---- */

static void close_block(struct builder *b)
{
	struct op *last = &b->ops[1 + b->insns];

	b->ops[0] = (struct op){
	    .fn = b->mode & MODE_SINGLE ? op_enter_single : op_enter,
	    .imm64 = clock_cost(b->cycles, b->insns),
	    .cycles = b->cycles,
	    .off = (uint16_t)b->insns,
	    .row = (uint16_t)PAGE_OFFSET(b->linear),
	    .vvvv = b->flags_dead,
	};
	*last = (struct op){
	    .fn = op_fall_through,
	    .off = page_offset(b),
	    .nth = (uint8_t)b->insns,
	    .cycles = b->cycles,
	    .disp = page_offset(b) < PAGE_SIZE || (b->mode & MODE_SINGLE) ? LINK_NONE : LINK_FAR,
	};
	if (!(b->mode & MODE_FLAT))
		last->disp = LINK_NONE;
}

const struct block *block_build(struct cpu *cpu, const uint8_t *host, uint64_t hpa, uint64_t linear,
				uint32_t mode)
{
	struct block *block = (struct block *)cpu->blocks->scratch;
	struct builder *b = &(struct builder){
	    .cpu = cpu,
	    .host = host,
	    .hpa = hpa,
	    .linear = linear,
	    .mode = mode,
	    .block = block,
	    .ops = block->ops,
	};

	*block = (struct block){0};
	limit_available(b);
	if (host)
		decode_all(b);
	else
		decode_device(b);
	choose_handlers(b);
	fuse(b);
	pair(b);
	close_block(b);
	b->block->hpa = b->transient ? BLOCK_DEAD : hpa;
	b->block->mode = b->mode;
	b->block->length = b->length;
	b->block->count = b->insns + 2;
	return blocks_insert(cpu, block);
}
