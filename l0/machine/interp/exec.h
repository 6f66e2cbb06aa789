/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How ops execute. A handler ends by going on to the next op: in optimised builds by a sibling
 * call, so that a block runs without returning; otherwise (no optimisation, sanitizers: no sibling
 * calls) by returning the next op to a loop. Only this header knows which. Fast handlers never call
 * anything but as their last act; whatever may be slow is a handler of its own.
 */
#ifndef L0_MACHINE_INTERP_EXEC_H
#define L0_MACHINE_INTERP_EXEC_H

#include <stddef.h>
#include <string.h>

#include "l0/machine/interp/flags.h"
#include "l0/machine/interp/op.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Every handler's arguments. clock: cycles to the next event (cpu->budget) in the upper half,
 * instructions retired that cpu->insns does not count yet in the lower. In memory between blocks
 * and in slow handlers, in a register between fast ones. */
#define OP_ARGS struct cpu *cpu, const struct op *op, int64_t clock

#if defined(__OPTIMIZE__) && !defined(OP_RETURNING)
#define OP_RESULT void
#define OP_LEAVE() return
#define OP_GOTO(cpu, to) return ((op_fn)(to)->fn)(cpu, to, clock)
#define OP_RUN(cpu, first) ((op_fn)(first)->fn)(cpu, first, clock_start(cpu))
#else
#define OP_RESULT const struct op *
#define OP_LEAVE() return NULL
#define OP_GOTO(cpu, to) return (cpu)->clock = clock, (to)
#define OP_RUN(cpu, first)                                                                         \
	(cpu)->clock = clock_start(cpu);                                                           \
	for (const struct op *next_ = (first); next_;)                                             \
	next_ = ((op_fn)next_->fn)(cpu, next_, (cpu)->clock)
#endif
#define OP_NEXT(cpu, op) OP_GOTO(cpu, (op) + 1)
/* Another handler for the same op. */
#define OP_TAIL(handler, cpu, op) return (handler)(cpu, op, clock)
#define HANDLER(name) static OP_RESULT name(OP_ARGS)

typedef OP_RESULT (*op_fn)(OP_ARGS);

/* Specialised forms of one operation: [flags live?][log2 of operand size][variant]. A form that is
 * not there is covered by VARIANT_GENERAL, which every family has for the sizes it can meet. */
enum op_variant {
	VARIANT_REG,	 /* rm is a register; near branches in 64-bit mode */
	VARIANT_GENERAL, /* memory with all segment checks; the slow path of the others */
	VARIANT_BASE,	 /* 64-bit: base + disp; 64-bit stack */
	VARIANT_INDEX,	 /* 64-bit: base + (index << scale) + disp */
	VARIANT_SEGMENT, /* 64-bit: the same plus FS or GS base */
	VARIANT_FLAT32,	 /* flat segments, 32-bit address; stack and near branches alike */
	VARIANT_COUNT,
};
struct op_family {
	op_fn fn[2][4][VARIANT_COUNT];
};

/* ---- operands ---- */

ALWAYS_INLINE uint64_t size_mask(unsigned size)
{
	return UINT64_MAX >> (64 - 8 * size);
}

/* Registers of families: for byte operands `reg` is the byte's offset in cpu->gpr. */
ALWAYS_INLINE uint64_t fast_get(const struct cpu *cpu, unsigned reg, unsigned size)
{
	uint16_t half;

	switch (size) {
	case 1:
		return ((const uint8_t *)cpu->gpr)[reg];
	case 2:
		memcpy(&half, &cpu->gpr[reg], 2);
		return half;
	case 4:
		return (uint32_t)cpu->gpr[reg];
	default:
		return cpu->gpr[reg];
	}
}

/* value: zero beyond `size`. */
ALWAYS_INLINE void fast_put(struct cpu *cpu, unsigned reg, unsigned size, uint64_t value)
{
	uint16_t half = (uint16_t)value;

	switch (size) {
	case 1:
		((uint8_t *)cpu->gpr)[reg] = (uint8_t)value;
		break;
	case 2:
		memcpy(&cpu->gpr[reg], &half, 2);
		break;
	default:
		cpu->gpr[reg] = value;
		break;
	}
}

/* The host is little-endian, whatever else it is. */
ALWAYS_INLINE uint64_t host_load(const uint8_t *at, unsigned size)
{
	uint64_t value = 0;

	memcpy(&value, at, size);
	return value;
}

ALWAYS_INLINE void host_store(uint8_t *at, unsigned size, uint64_t value)
{
	memcpy(at, &value, size);
}

_Static_assert(offsetof(struct op, index) == offsetof(struct op, base) + 1 &&
		   offsetof(struct op, scale) == offsetof(struct op, base) + 2,
	       "fast_ea gets base, index and scale with one load");
ALWAYS_INLINE uint64_t fast_ea(const struct cpu *cpu, const struct op *op, enum op_variant variant)
{
	uint64_t address = (uint64_t)(int64_t)op->disp;
	uint32_t all;

	if (variant == VARIANT_BASE)
		return address + cpu->gpr[op->base];
	memcpy(&all, &op->base, sizeof(all));
	address += cpu->gpr[all & 0xff] + (cpu->gpr[all >> 8 & 0xff] << (all >> 16 & 63));
	if (variant == VARIANT_SEGMENT)
		address += cpu->seg[op->seg].base;
	if (variant == VARIANT_FLAT32)
		address = (uint32_t)address;
	return address;
}

/* True and the host pointer if the TLB allows the access straight away. One comparison also finds
 * page crossings: the last byte's page is then another than that of the slot. */
ALWAYS_INLINE bool fast_access(struct cpu *cpu, uint64_t linear, unsigned size, bool write,
			       uint8_t **host)
{
	const struct tlb_entry *entry = tlb_slot(&cpu->mmu, linear);
	uint64_t want = ((linear + size - 1) & ~(PAGE_SIZE - 1)) | cpu->mmu.tag;

	*host = (uint8_t *)(uintptr_t)(linear + entry->addend);
	return likely((write ? entry->write : entry->read) == want);
}

/* ---- slow and complex handlers ---- */

/* RIP as the code size sees it. */
ALWAYS_INLINE uint64_t rip_wrap(const struct cpu *cpu, uint64_t rip)
{
	return cpu->mode & 2 ? rip : (uint32_t)rip; /* MODE_CODE64 */
}

ALWAYS_INLINE int64_t clock_start(const struct cpu *cpu)
{
	return (int64_t)((uint64_t)cpu->budget << 32);
}

/* What a block adds to the clock. */
ALWAYS_INLINE int64_t clock_cost(uint32_t cycles, unsigned insns)
{
	return (int64_t)(insns - ((uint64_t)cycles << 32));
}

ALWAYS_INLINE void clock_stop(struct cpu *cpu, int64_t clock)
{
	cpu->budget = clock >> 32;
	cpu->insns += (uint32_t)clock;
}

ALWAYS_INLINE void slow_begin(struct cpu *cpu, const struct op *op, int64_t clock)
{
	clock_stop(cpu, clock);
	cpu->op = op;
	cpu->in_block = true;
	cpu->next_rip = rip_wrap(cpu, cpu_rip(cpu) + op->off + op->len);
}

/* Whether the block must end after the instruction in cpu->op. */
ALWAYS_INLINE bool slow_must_leave(const struct cpu *cpu)
{
	return cpu->attention || cpu->budget < 0 || cpu->code_written;
}

#define SLOW_NEXT(cpu, op)                                                                         \
	do {                                                                                       \
		if (unlikely(slow_must_leave(cpu))) {                                              \
			cpu_retire(cpu);                                                           \
			OP_LEAVE();                                                                \
		}                                                                                  \
		clock = clock_start(cpu);                                                          \
		OP_NEXT(cpu, op);                                                                  \
	} while (0)

/* Ends the block at cpu->next_rip. */
#define SLOW_LEAVE(cpu)                                                                            \
	do {                                                                                       \
		cpu_retire(cpu);                                                                   \
		OP_LEAVE();                                                                        \
	} while (0)

struct cc_state {
	uint64_t dst, src;
	uint32_t op;
};
ALWAYS_INLINE struct cc_state cc_save(const struct cpu *cpu)
{
	return (struct cc_state){cpu->cc_dst, cpu->cc_src, cpu->cc_op};
}
ALWAYS_INLINE void cc_restore(struct cpu *cpu, struct cc_state state)
{
	cpu->cc_dst = state.dst;
	cpu->cc_src = state.src;
	cpu->cc_op = state.op;
}

/* ---- leaving a block along a branch (chain.h), wrapper of complex handlers (exec.c) ---- */
OP_RESULT op_complex(OP_ARGS);
OP_RESULT op_complex_end(OP_ARGS);
OP_RESULT op_undefined(OP_ARGS);
OP_RESULT op_too_long(OP_ARGS);
OP_RESULT op_rtm_abort(OP_ARGS);
OP_RESULT op_endbranch(OP_ARGS);
OP_RESULT op_no_endbranch(OP_ARGS);
OP_RESULT op_enter(OP_ARGS);
OP_RESULT op_enter_single(OP_ARGS);
OP_RESULT op_enter_dead(OP_ARGS);
OP_RESULT op_enter_forward(OP_ARGS);
OP_RESULT op_fall_through(OP_ARGS);
/* Gives the ops before a Jcc that is no general form the handlers that end with it, if there are
 * any. light: no flag is looked at beyond both edges, which are linked. */
void op_fuse(struct op *jcc, bool light);
/* `first`, the compare after it, and the Jcc after that in one handler; NULL if there is none. */
op_fn op_triple(const struct op *first, const struct op *jcc, bool light);
/* Gives `first` a handler for itself and the op after it; false: there is none. */
bool op_pair(struct op *first, const struct op *second);

/* Stack operations by the general rules; RSP is changed only after the access succeeded. */
void near_push(struct cpu *cpu, unsigned size, uint64_t value);
uint64_t near_pop(struct cpu *cpu, unsigned size);
/* A stack address `delta` bytes from RSP, wrapped to the stack size; and RSP moved there. */
uint64_t stack_offset(const struct cpu *cpu, int64_t delta);
void stack_set(struct cpu *cpu, uint64_t offset);
/* May a near branch go to `rip`: is it canonical, or within the CS limit? */
bool near_target_good(const struct cpu *cpu, uint64_t rip);
/* #GP(0) if not. */
void near_target_check(struct cpu *cpu, uint64_t rip);

#endif
