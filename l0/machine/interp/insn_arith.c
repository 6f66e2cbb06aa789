/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Complex handlers: multiplication and division, rotates through carry, double shifts, decimal
 * adjust, BOUND.
 */
#include "l0/machine/interp/alu.h"
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/mpx.h"

/* ---- MUL, IMUL with one operand ---- */

/* The product goes to AX or to rDX:rAX; CF = OF = "the upper half matters". */
static void put_product(struct cpu *cpu, unsigned size, uint64_t low, uint64_t high, bool matters)
{
	if (size == 1) {
		fast_put(cpu, REG_RAX, 2, (low & 0xff) | (high & 0xff) << 8);
	} else {
		fast_put(cpu, REG_RAX, size, low & size_mask(size));
		fast_put(cpu, REG_RDX, size, high & size_mask(size));
	}
	cc_set(cpu, CC_ARITH, size, low, matters ? RFLAGS_CF | RFLAGS_OF : 0);
}

void insn_mul(struct cpu *cpu, const struct op *op)
{
	unsigned size = op->opsize, bits = 8 * size;
	unsigned __int128 product = op_read_rm(cpu, op, size);
	uint64_t high;

	product *= cpu->gpr[REG_RAX] & size_mask(size);
	high = (uint64_t)(product >> bits) & size_mask(size);
	put_product(cpu, size, (uint64_t)product & size_mask(size), high, high != 0);
}

void insn_imul1(struct cpu *cpu, const struct op *op)
{
	unsigned size = op->opsize, bits = 8 * size;
	__int128 product = (int64_t)cc_extend(op_read_rm(cpu, op, size), size);
	uint64_t low;

	product *= (int64_t)cc_extend(cpu->gpr[REG_RAX] & size_mask(size), size);
	low = (uint64_t)product & size_mask(size);
	put_product(cpu, size, low,
		    (uint64_t)((unsigned __int128)product >> bits) & size_mask(size),
		    product != (int64_t)cc_extend(low, size));
}

/* ---- DIV, IDIV ---- */

static unsigned __int128 dividend(const struct cpu *cpu, unsigned size)
{
	uint64_t low = cpu->gpr[REG_RAX], high = cpu->gpr[REG_RDX];

	if (size == 1)
		return low & 0xffff;
	return (unsigned __int128)(high & size_mask(size)) << 8 * size | (low & size_mask(size));
}

static void put_quotient(struct cpu *cpu, unsigned size, uint64_t quotient, uint64_t rest)
{
	quotient &= size_mask(size);
	rest &= size_mask(size);
	if (size == 1) {
		fast_put(cpu, REG_RAX, 2, quotient | rest << 8);
		return;
	}
	fast_put(cpu, REG_RAX, size, quotient);
	fast_put(cpu, REG_RDX, size, rest);
}

void insn_div(struct cpu *cpu, const struct op *op)
{
	unsigned size = op->opsize;
	uint64_t divisor = op_read_rm(cpu, op, size);
	unsigned __int128 value = dividend(cpu, size), quotient;

	if (divisor == 0)
		cpu_fault(cpu, VECTOR_DE);
	quotient = value / divisor;
	if (quotient > size_mask(size))
		cpu_fault(cpu, VECTOR_DE);
	put_quotient(cpu, size, (uint64_t)quotient, (uint64_t)(value % divisor));
}

/* By magnitudes: the most negative dividend has none in a signed type. */
void insn_idiv(struct cpu *cpu, const struct op *op)
{
	unsigned size = op->opsize, bits = 16 * size;
	int64_t divisor = (int64_t)cc_extend(op_read_rm(cpu, op, size), size);
	unsigned __int128 value = dividend(cpu, size), quotient, rest;
	bool negative = value >> (bits - 1) & 1;
	uint64_t magnitude = divisor < 0 ? -(uint64_t)divisor : (uint64_t)divisor, limit;

	if (divisor == 0)
		cpu_fault(cpu, VECTOR_DE);
	if (negative)
		value = (-value) & (~(unsigned __int128)0 >> (128 - bits));
	quotient = value / magnitude;
	rest = value % magnitude;
	limit = size_mask(size) / 2 + (negative != (divisor < 0));
	if (quotient > limit)
		cpu_fault(cpu, VECTOR_DE);
	put_quotient(cpu, size,
		     negative != (divisor < 0) ? -(uint64_t)quotient : (uint64_t)quotient,
		     negative ? -(uint64_t)rest : (uint64_t)rest);
}

/* ---- counts ---- */

static unsigned shift_count(const struct cpu *cpu, const struct op *op, bool cl)
{
	unsigned count = cl ? (uint8_t)cpu->gpr[REG_RCX] : (uint8_t)op->imm;

	return count & (op->opsize == 8 ? 63 : 31);
}

/* D2 and D3 take CL; the others have an immediate or 1 in op->imm. */
static bool count_in_cl(const struct op *op)
{
	return op->vvvv; /* decode.c: set for operand CL */
}

/* ---- RCL, RCR: rotation of operand and CF as one number of bits + 1 ---- */

static uint64_t rotate_carry(struct cpu *cpu, uint64_t a, unsigned size, unsigned count, bool left,
			     uint64_t *flags)
{
	unsigned bits = 8 * size + 1, by = count % bits;
	unsigned __int128 wide = (unsigned __int128)cc_cf(cpu) << (bits - 1) | a;
	unsigned __int128 mask = ((unsigned __int128)1 << bits) - 1;
	uint64_t result;
	bool carry, top, next;

	if (!left)
		by = (bits - by) % bits;
	wide = (wide << by | wide >> (bits - by)) & mask;
	result = (uint64_t)wide & size_mask(size);
	carry = wide >> (bits - 1) & 1;
	top = alu_sign(result, size);
	next = result >> (8 * size - 2) & 1;
	*flags = (carry ? RFLAGS_CF : 0) | ((left ? top != carry : top != next) ? RFLAGS_OF : 0);
	return result;
}

/* Reads, works out and writes back rm; flags change only after the write. */
static void rotate_rm(struct cpu *cpu, const struct op *op, bool left)
{
	unsigned size = op->opsize, count = shift_count(cpu, op, count_in_cl(op));
	uint64_t linear = 0, a, result, flags;

	if (op->flags & OP_MEMORY) {
		linear = seg_linear(cpu, op->seg, op_ea(cpu, op), size, MEM_WRITE);
		lin_probe(cpu, linear, size, MEM_WRITE);
		a = lin_read(cpu, linear, size, MEM_READ);
	} else {
		a = reg_read(cpu, op, op->rm, size);
	}
	result = rotate_carry(cpu, a, size, count, left, &flags);
	if (op->flags & OP_MEMORY)
		lin_write(cpu, linear, size, result, MEM_WRITE);
	else
		reg_write(cpu, op, op->rm, size, result);
	if (count)
		cc_change(cpu, RFLAGS_CF | RFLAGS_OF, flags);
}

void insn_rcl(struct cpu *cpu, const struct op *op)
{
	rotate_rm(cpu, op, true);
}

void insn_rcr(struct cpu *cpu, const struct op *op)
{
	rotate_rm(cpu, op, false);
}

/* ---- SHLD, SHRD ---- */

static uint64_t double_shift64(uint64_t a, uint64_t b, unsigned count, bool left, bool *carry)
{
	if (left) {
		*carry = a >> (64 - count) & 1;
		return a << count | b >> (64 - count);
	}
	*carry = a >> (count - 1) & 1;
	return a >> count | b << (64 - count);
}

/* Counts beyond a 16-bit operand are undefined; taken as a shift of dest:source:dest like current
 * parts. */
static uint64_t double_shift(uint64_t a, uint64_t b, unsigned size, unsigned count, bool left,
			     bool *carry)
{
	unsigned bits = 8 * size;
	unsigned __int128 wide;

	if (size == 8)
		return double_shift64(a, b, count, left, carry);
	wide = (unsigned __int128)a << 2 * bits | (unsigned __int128)b << bits | a;
	if (left) {
		*carry = wide >> (3 * bits - count) & 1;
		return (uint64_t)(wide >> (2 * bits - count)) & size_mask(size);
	}
	*carry = wide >> (count - 1) & 1;
	return (uint64_t)(wide >> count) & size_mask(size);
}

static void shift_double(struct cpu *cpu, const struct op *op, bool left, bool cl)
{
	unsigned size = op->opsize, count = shift_count(cpu, op, cl);
	bool memory = op->flags & OP_MEMORY, carry = false;
	uint64_t linear = 0, a, result;

	if (memory) {
		linear = seg_linear(cpu, op->seg, op_ea(cpu, op), size, MEM_WRITE);
		lin_probe(cpu, linear, size, MEM_WRITE);
		a = lin_read(cpu, linear, size, MEM_READ);
	} else {
		a = reg_read(cpu, op, op->rm, size);
	}
	result = a;
	if (count)
		result =
		    double_shift(a, reg_read(cpu, op, op->reg, size), size, count, left, &carry);
	if (memory)
		lin_write(cpu, linear, size, result, MEM_WRITE);
	else
		reg_write(cpu, op, op->rm, size, result);
	if (count)
		cc_set(cpu, CC_ARITH, size, result,
		       (carry ? RFLAGS_CF : 0) | (alu_sign(a ^ result, size) ? RFLAGS_OF : 0));
}

void insn_shld(struct cpu *cpu, const struct op *op)
{
	shift_double(cpu, op, true, false);
}

void insn_shld_cl(struct cpu *cpu, const struct op *op)
{
	shift_double(cpu, op, true, true);
}

void insn_shrd(struct cpu *cpu, const struct op *op)
{
	shift_double(cpu, op, false, false);
}

void insn_shrd_cl(struct cpu *cpu, const struct op *op)
{
	shift_double(cpu, op, false, true);
}

/* ---- decimal adjust, SDM 2 pseudo-code of each ---- */

static void put_bcd(struct cpu *cpu, uint64_t al, bool af, bool cf)
{
	cc_set(cpu, CC_ARITH, 1, al, (cf ? RFLAGS_CF : 0) | (af ? RFLAGS_AF : 0));
	fast_put(cpu, 0, 1, al);
}

static void decimal(struct cpu *cpu, bool subtract)
{
	uint8_t old = (uint8_t)cpu->gpr[REG_RAX], al = old;
	bool af = cc_af(cpu), cf = cc_cf(cpu), low = (old & 15) > 9 || af, carry = false;

	if (low) {
		carry = cf || (subtract ? old < 6 : old > 0xff - 6);
		al = (uint8_t)(subtract ? al - 6 : al + 6);
	}
	if (old > 0x99 || cf) {
		al = (uint8_t)(subtract ? al - 0x60 : al + 0x60);
		carry = true;
	}
	put_bcd(cpu, al, low, carry);
}

void insn_daa(struct cpu *cpu, const struct op *op)
{
	decimal(cpu, false);
}

void insn_das(struct cpu *cpu, const struct op *op)
{
	decimal(cpu, true);
}

static void ascii(struct cpu *cpu, int sign)
{
	uint16_t ax = (uint16_t)cpu->gpr[REG_RAX];
	bool adjust = (ax & 15) > 9 || cc_af(cpu);

	if (adjust)
		ax = (uint16_t)(ax + sign * 0x106);
	ax &= 0xff0f;
	fast_put(cpu, REG_RAX, 2, ax);
	cc_set(cpu, CC_ARITH, 1, ax & 0xff, adjust ? RFLAGS_CF | RFLAGS_AF : 0);
}

void insn_aaa(struct cpu *cpu, const struct op *op)
{
	ascii(cpu, 1);
}

void insn_aas(struct cpu *cpu, const struct op *op)
{
	ascii(cpu, -1);
}

void insn_aam(struct cpu *cpu, const struct op *op)
{
	uint8_t base = (uint8_t)op->imm, al = (uint8_t)cpu->gpr[REG_RAX];

	if (base == 0)
		cpu_fault(cpu, VECTOR_DE);
	fast_put(cpu, REG_RAX, 2, (uint64_t)(al / base) << 8 | al % base);
	cc_set(cpu, CC_ARITH, 1, al % base, 0);
}

void insn_aad(struct cpu *cpu, const struct op *op)
{
	uint16_t ax = (uint16_t)cpu->gpr[REG_RAX];
	uint8_t al = (uint8_t)(ax + (ax >> 8) * (uint8_t)op->imm);

	fast_put(cpu, REG_RAX, 2, al);
	cc_set(cpu, CC_ARITH, 1, al, 0);
}

void insn_bound(struct cpu *cpu, const struct op *op)
{
	unsigned size = op->opsize;
	uint64_t at = op_ea(cpu, op);
	int64_t lower = (int64_t)cc_extend(mem_read(cpu, op->seg, at, size), size);
	int64_t upper = (int64_t)cc_extend(
	    mem_read(cpu, op->seg, (at + size) & size_mask(op->addrsize), size), size);
	int64_t index = (int64_t)cc_extend(reg_read(cpu, op, op->reg, size), size);

	if (index >= lower && index <= upper)
		return;
	mpx_bound_fails(cpu);
	cpu_fault(cpu, VECTOR_BR);
}
