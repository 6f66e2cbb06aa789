/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Segment and gate descriptors as they lie in the GDT, the LDT and the IDT, and the stack as far
 * transfers use it. Nothing here raises a protection fault but the stack calls; the callers know
 * which vector and error code a bad descriptor means.
 *
 *   high  31:24 base | 23 G | 22 D/B | 21 L | 20 AVL | 19:16 limit | 15 P | 14:13 DPL | 12 S |
 *         11:8 type | 7:0 base
 *   low   31:16 base | 15:0 limit
 */
#ifndef L0_MACHINE_INTERP_DESCRIPTOR_H
#define L0_MACHINE_INTERP_DESCRIPTOR_H

#include "l0/machine/interp/canonical.h"
#include "l0/machine/interp/cpu.h"

#define SELECTOR_RPL 3
#define SELECTOR_TI 4
#define SELECTOR_NULL(selector) (!((selector) & ~SELECTOR_RPL))
/* A selector as an error code: EXT and IDT are the caller's. */
#define SELECTOR_ERROR(selector) ((uint32_t)((selector) & ~SELECTOR_RPL))
#define ERROR_EXT 1
#define ERROR_IDT 2

struct descriptor {
	uint64_t address; /* linear, of its first byte */
	uint32_t low, high;
	uint32_t upper;   /* base or offset 63:32 of the 16-byte forms */
	uint32_t tail;    /* last double word of the 16-byte forms */
};

static inline unsigned desc_type(const struct descriptor *d)
{
	return d->high >> 8 & AR_TYPE;
}
static inline unsigned desc_dpl(const struct descriptor *d)
{
	return d->high >> 13 & 3;
}
static inline bool desc_present(const struct descriptor *d)
{
	return d->high & BIT32(15);
}
static inline bool desc_is_system(const struct descriptor *d)
{
	return !(d->high & BIT32(12));
}
static inline bool desc_is_code(const struct descriptor *d)
{
	return !desc_is_system(d) && (desc_type(d) & AR_TYPE_CODE);
}
static inline bool desc_is_data(const struct descriptor *d)
{
	return !desc_is_system(d) && !(desc_type(d) & AR_TYPE_CODE);
}
static inline bool desc_is_writable_data(const struct descriptor *d)
{
	return desc_is_data(d) && (desc_type(d) & AR_TYPE_WRITABLE);
}
static inline bool desc_is_conforming(const struct descriptor *d)
{
	return desc_is_code(d) && (desc_type(d) & AR_TYPE_CONFORMING);
}
static inline uint32_t desc_ar(const struct descriptor *d)
{
	return d->high >> 8 & 0xf0ff;
}
static inline uint64_t desc_base(const struct descriptor *d)
{
	return (d->low >> 16) | (d->high & 0xff) << 16 | (d->high & 0xff000000) |
	       (uint64_t)d->upper << 32;
}
static inline uint32_t desc_limit(const struct descriptor *d)
{
	uint32_t limit = (d->low & 0xffff) | (d->high & 0xf0000);

	return d->high & BIT32(23) ? limit << 12 | 0xfff : limit;
}
static inline uint16_t gate_selector(const struct descriptor *d)
{
	return (uint16_t)(d->low >> 16);
}
/* Bit 3 of the type tells 32-bit (and 64-bit) gates from 16-bit ones. */
static inline uint64_t gate_offset(const struct descriptor *d)
{
	uint32_t offset = d->low & 0xffff;

	if (desc_type(d) & 8)
		offset |= d->high & 0xffff0000;
	return offset | (uint64_t)d->upper << 32;
}

/* Linear addresses are 32 bits wide outside IA-32e mode. */
static inline uint64_t cpu_wrap_linear(const struct cpu *cpu, uint64_t address)
{
	return cpu_long_mode(cpu) ? address : (uint32_t)address;
}

/* Reads the 8-byte descriptor of a selector; false: outside its table, or no LDT. Page faults are
 * raised. The null selector is the caller's business. */
bool desc_read(struct cpu *cpu, uint16_t selector, struct descriptor *d);
/* A system descriptor whose first half was read by desc_read: fetches the second half in IA-32e
 * mode. False: the second half is outside the table. */
bool desc_read_upper(struct cpu *cpu, uint16_t selector, struct descriptor *d);
/* Sets the accessed bit in memory and in *d. */
void desc_set_accessed(struct cpu *cpu, struct descriptor *d);
/* Sets or clears the busy bit of a TSS descriptor in memory and in *d. */
void desc_set_busy(struct cpu *cpu, struct descriptor *d, bool busy);
/* The register contents that the descriptor makes. */
struct segment desc_segment(uint16_t selector, const struct descriptor *d);
/* What a null selector leaves in a segment register. */
struct segment desc_null_segment(uint16_t selector);

/* ---- stacks ---- */
/* A stack under examination: pushes and pops move sp, and nothing else until stack_commit. */
struct stack {
	uint64_t sp, mask, base;
	uint32_t limit, ar;
	unsigned access; /* MEM_IMPLICIT_SUPERVISOR for the stack of an inner level */
	uint32_t error;  /* error code of the #SS that a limit or canonicality violation raises */
	bool flat;       /* 64-bit: no segmentation */
};
/* The current SS:(E/R)SP. */
struct stack stack_current(const struct cpu *cpu, uint32_t error);
/* The stack that `ss` and `sp` would make; flat: for 64-bit code. */
struct stack stack_make(const struct segment *ss, uint64_t sp, bool flat, uint32_t error);
/* #SS unless `count` items of `size` bytes can be pushed as far as segmentation is concerned. */
void stack_check(struct cpu *cpu, const struct stack *stack, unsigned count, unsigned size);
void stack_push(struct cpu *cpu, struct stack *stack, uint64_t value, unsigned size);
uint64_t stack_pop(struct cpu *cpu, struct stack *stack, unsigned size);
/* The same for `count` items in turn; what the TLB allows goes over at once. */
void stack_push_items(struct cpu *cpu, struct stack *stack, const uint64_t *items, unsigned count,
		      unsigned size);
void stack_pop_items(struct cpu *cpu, struct stack *stack, uint64_t *items, unsigned count,
		     unsigned size);
/* Reads the item `offset` bytes above sp without moving it. */
uint64_t stack_peek(struct cpu *cpu, const struct stack *stack, uint64_t offset, unsigned size);
/* Writes sp to RSP, as wide as the stack is. */
void stack_commit(struct cpu *cpu, const struct stack *stack);

#endif
