/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading and marking descriptors. SDM 3A "Segment Descriptors", "System Descriptor Types".
 */
#include "l0/machine/interp/descriptor.h"

/* Linear address of table entry `selector`, `size` bytes long; false: beyond the limit. */
static bool desc_locate(const struct cpu *cpu, uint16_t selector, unsigned size, uint64_t *address)
{
	uint32_t offset = selector & ~7u;
	const struct segment *ldt = &cpu->seg[SEG_LDTR];
	uint64_t base = cpu->gdtr.base;
	uint32_t limit = cpu->gdtr.limit;

	if (selector & SELECTOR_TI) {
		if (ldt->ar & AR_UNUSABLE)
			return false;
		base = ldt->base;
		limit = ldt->limit;
	}
	*address = cpu_wrap_linear(cpu, base + offset);
	return offset + size - 1 <= limit;
}

bool desc_read(struct cpu *cpu, uint16_t selector, struct descriptor *d)
{
	uint64_t raw;

	if (!desc_locate(cpu, selector, 8, &d->address))
		return false;
	raw = lin_read(cpu, d->address, 8, MEM_READ | MEM_IMPLICIT_SUPERVISOR);
	d->low = (uint32_t)raw;
	d->high = (uint32_t)(raw >> 32);
	d->upper = d->tail = 0;
	return true;
}

bool desc_read_upper(struct cpu *cpu, uint16_t selector, struct descriptor *d)
{
	uint64_t address, raw;

	if (!cpu_long_mode(cpu))
		return true;
	if (!desc_locate(cpu, selector, 16, &address))
		return false;
	raw = lin_read(cpu, address + 8, 8, MEM_READ | MEM_IMPLICIT_SUPERVISOR);
	d->upper = (uint32_t)raw;
	d->tail = (uint32_t)(raw >> 32);
	return true;
}

/* Rewrites byte 5 (P, DPL, S, type), the only one that the CPU itself changes. */
static void desc_write_type(struct cpu *cpu, struct descriptor *d)
{
	lin_write(cpu, cpu_wrap_linear(cpu, d->address + 5), 1, d->high >> 8 & 0xff,
		  MEM_WRITE | MEM_IMPLICIT_SUPERVISOR);
}

void desc_set_accessed(struct cpu *cpu, struct descriptor *d)
{
	if (d->high & AR_TYPE_ACCESSED << 8)
		return;
	d->high |= AR_TYPE_ACCESSED << 8;
	desc_write_type(cpu, d);
}

void desc_set_busy(struct cpu *cpu, struct descriptor *d, bool busy)
{
	d->high = busy ? d->high | 2u << 8 : d->high & ~(2u << 8);
	desc_write_type(cpu, d);
}

struct segment desc_segment(uint16_t selector, const struct descriptor *d)
{
	return (struct segment){ .base = desc_base(d),
				 .limit = desc_limit(d),
				 .ar = desc_ar(d),
				 .selector = selector };
}

struct segment desc_null_segment(uint16_t selector)
{
	return (struct segment){ .ar = AR_UNUSABLE, .selector = selector };
}
