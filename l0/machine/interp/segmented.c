/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Logical addresses: the limit, type and canonicality checks between an effective address and a
 * linear one, SDM 3A "Limit Checking", "Type Checking", SDM 1 "Memory Operands" (64-bit mode).
 */
#include "l0/machine/interp/mmu.h"

#include "l0/machine/interp/canonical.h"

static _Noreturn void segment_fault(struct cpu *cpu, unsigned segment)
{
	cpu_fault_code(cpu, segment == SEG_SS ? VECTOR_SS : VECTOR_GP, 0);
}

static bool type_allows(const struct segment *seg, unsigned access)
{
	bool code = seg->ar & AR_TYPE_CODE;

	if (access & MEM_FETCH)
		return code;
	if (access & MEM_WRITE)
		return !code && (seg->ar & AR_TYPE_WRITABLE);
	return !code || (seg->ar & AR_TYPE_READABLE);
}

static bool within_limit(const struct segment *seg, uint64_t offset, unsigned size)
{
	uint64_t last = offset + size - 1;

	if ((seg->ar & (AR_TYPE_CODE | AR_TYPE_EXPAND_DOWN)) == AR_TYPE_EXPAND_DOWN)
		return offset > seg->limit && last <= (seg->ar & AR_DB ? UINT32_MAX : UINT16_MAX);
	/* A flat segment lets an operand wrap at 4 GiB, as processors do. */
	return last <= seg->limit || (seg->limit == UINT32_MAX && offset <= UINT32_MAX);
}

static uint64_t linear64(struct cpu *cpu, unsigned segment, uint64_t offset, unsigned size,
			 unsigned access)
{
	uint64_t linear = offset;

	if (segment == SEG_FS || segment == SEG_GS)
		linear += cpu->seg[segment].base;
	if (!(access & MEM_FETCH))
		linear = cpu_lam(cpu, linear);
	if (!cpu_canonical(cpu, linear) || !cpu_canonical(cpu, linear + size - 1))
		segment_fault(cpu, segment);
	return linear;
}

uint64_t seg_linear(struct cpu *cpu, unsigned segment, uint64_t offset, unsigned size,
		    unsigned access)
{
	const struct segment *seg = &cpu->seg[segment];

	if (cpu_code64(cpu))
		return linear64(cpu, segment, offset, size, access);
	if (!cpu_real_or_vm86(cpu) && ((seg->ar & AR_UNUSABLE) || !type_allows(seg, access)))
		segment_fault(cpu, segment);
	if (!within_limit(seg, offset, size))
		segment_fault(cpu, segment);
	return (seg->base + offset) & UINT64_C(0xffffffff);
}

uint64_t mem_read(struct cpu *cpu, unsigned segment, uint64_t offset, unsigned size)
{
	return lin_read(cpu, seg_linear(cpu, segment, offset, size, MEM_READ), size, MEM_READ);
}

void mem_write(struct cpu *cpu, unsigned segment, uint64_t offset, unsigned size, uint64_t value)
{
	lin_write(cpu, seg_linear(cpu, segment, offset, size, MEM_WRITE), size, value, MEM_WRITE);
}
