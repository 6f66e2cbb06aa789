/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Complex handlers on bits: BT*, BSF, BSR, POPCNT, LZCNT, TZCNT, BMI1 and BMI2, ADCX, ADOX, CRC32.
 */
#include "l0/machine/interp/alu.h"
#include "l0/machine/interp/insns.h"

/* ---- BT BTS BTR BTC ---- */

enum bit_action { BIT_TEST, BIT_SET, BIT_RESET, BIT_COMPLEMENT };

static uint64_t bit_apply(uint64_t value, uint64_t bit, enum bit_action action)
{
	switch (action) {
	case BIT_SET:
		return value | bit;
	case BIT_RESET:
		return value & ~bit;
	case BIT_COMPLEMENT:
		return value ^ bit;
	default:
		return value;
	}
}

/* `offset`: of the operand in memory, chosen by the caller. CF changes last. */
static void bit_memory(struct cpu *cpu, const struct op *op, uint64_t offset, unsigned number,
		       enum bit_action action)
{
	unsigned size = op->opsize;
	unsigned access = action == BIT_TEST ? MEM_READ : MEM_WRITE;
	uint64_t linear = seg_linear(cpu, op->seg, offset & size_mask(op->addrsize), size, access);
	uint64_t value;

	if (action != BIT_TEST)
		lin_probe(cpu, linear, size, MEM_WRITE);
	value = lin_read(cpu, linear, size, MEM_READ);
	if (action != BIT_TEST)
		lin_write(cpu, linear, size, bit_apply(value, UINT64_C(1) << number, action),
			  MEM_WRITE);
	cc_change(cpu, RFLAGS_CF, value >> number & 1 ? RFLAGS_CF : 0);
}

static void bit_register(struct cpu *cpu, const struct op *op, unsigned number,
			 enum bit_action action)
{
	uint64_t value = reg_read(cpu, op, op->rm, op->opsize);

	if (action != BIT_TEST)
		reg_write(cpu, op, op->rm, op->opsize,
			  bit_apply(value, UINT64_C(1) << number, action));
	cc_change(cpu, RFLAGS_CF, value >> number & 1 ? RFLAGS_CF : 0);
}

/* A register bit number addresses a bit string: SDM 2 "BT", it moves the operand in memory. */
static void bit_by_register(struct cpu *cpu, const struct op *op, enum bit_action action)
{
	unsigned bits = 8 * op->opsize;
	int64_t number = (int64_t)cc_extend(reg_read(cpu, op, op->reg, op->opsize), op->opsize);
	int64_t words = number >> __builtin_ctz(bits);

	if (op->flags & OP_MEMORY)
		bit_memory(cpu, op, op_ea(cpu, op) + (uint64_t)(words * op->opsize),
			   (unsigned)number & (bits - 1), action);
	else
		bit_register(cpu, op, (unsigned)number & (bits - 1), action);
}

static void bit_by_immediate(struct cpu *cpu, const struct op *op, enum bit_action action)
{
	unsigned number = (unsigned)op->imm & (8 * op->opsize - 1);

	if (op->flags & OP_MEMORY)
		bit_memory(cpu, op, op_ea(cpu, op), number, action);
	else
		bit_register(cpu, op, number, action);
}

#define BIT_INSN(name, action)                                                                     \
	void insn_##name##_eg(struct cpu *cpu, const struct op *op)                                \
	{                                                                                          \
		bit_by_register(cpu, op, action);                                                  \
	}                                                                                          \
	void insn_##name##_ei(struct cpu *cpu, const struct op *op)                                \
	{                                                                                          \
		bit_by_immediate(cpu, op, action);                                                 \
	}
BIT_INSN(bt, BIT_TEST)
BIT_INSN(bts, BIT_SET)
BIT_INSN(btr, BIT_RESET)
BIT_INSN(btc, BIT_COMPLEMENT)

/* ---- scans and counts ---- */

/* A source of 0 leaves the destination alone (documented as undefined, relied upon everywhere). */
static void bit_scan(struct cpu *cpu, const struct op *op, bool reverse)
{
	uint64_t value = op_read_rm(cpu, op, op->opsize);

	if (value)
		reg_write(
		    cpu, op, op->reg, op->opsize,
		    (uint64_t)(reverse ? 63 - __builtin_clzll(value) : __builtin_ctzll(value)));
	cc_change(cpu, RFLAGS_ZF, value ? 0 : RFLAGS_ZF);
}

void insn_bsf(struct cpu *cpu, const struct op *op)
{
	bit_scan(cpu, op, false);
}

void insn_bsr(struct cpu *cpu, const struct op *op)
{
	bit_scan(cpu, op, true);
}

/* CF: the source was 0; ZF: the result is. */
static void put_count(struct cpu *cpu, const struct op *op, uint64_t count, bool none)
{
	reg_write(cpu, op, op->reg, op->opsize, count);
	cc_set(cpu, CC_ARITH, op->opsize, count, none ? RFLAGS_CF : 0);
}

void insn_tzcnt(struct cpu *cpu, const struct op *op)
{
	uint64_t value = op_read_rm(cpu, op, op->opsize);
	unsigned bits = 8 * op->opsize;

	put_count(cpu, op, value ? (unsigned)__builtin_ctzll(value) : bits, !value);
}

void insn_lzcnt(struct cpu *cpu, const struct op *op)
{
	uint64_t value = op_read_rm(cpu, op, op->opsize);
	unsigned bits = 8 * op->opsize;

	put_count(cpu, op, value ? (unsigned)__builtin_clzll(value) - (64 - bits) : bits, !value);
}

void insn_popcnt(struct cpu *cpu, const struct op *op)
{
	uint64_t value = op_read_rm(cpu, op, op->opsize);

	reg_write(cpu, op, op->reg, op->opsize, (uint64_t)__builtin_popcountll(value));
	cc_set_explicit(cpu, value ? 0 : RFLAGS_ZF);
}

/* ---- BMI1, BMI2: sizes 4 and 8 ---- */

static void put_logic(struct cpu *cpu, const struct op *op, unsigned reg, uint64_t value,
		      bool carry)
{
	reg_write(cpu, op, reg, op->opsize, value);
	cc_set(cpu, CC_ARITH, op->opsize, value, carry ? RFLAGS_CF : 0);
}

void insn_andn(struct cpu *cpu, const struct op *op)
{
	uint64_t source = op_read_rm(cpu, op, op->opsize);

	put_logic(cpu, op, op->reg, ~cpu->gpr[op->vvvv] & source & size_mask(op->opsize), false);
}

void insn_blsr(struct cpu *cpu, const struct op *op)
{
	uint64_t source = op_read_rm(cpu, op, op->opsize);

	put_logic(cpu, op, op->vvvv, source & (source - 1), source == 0);
}

void insn_blsmsk(struct cpu *cpu, const struct op *op)
{
	uint64_t source = op_read_rm(cpu, op, op->opsize);

	put_logic(cpu, op, op->vvvv, (source ^ (source - 1)) & size_mask(op->opsize), source == 0);
}

void insn_blsi(struct cpu *cpu, const struct op *op)
{
	uint64_t source = op_read_rm(cpu, op, op->opsize);

	put_logic(cpu, op, op->vvvv, source & -source, source != 0);
}

void insn_bextr(struct cpu *cpu, const struct op *op)
{
	uint64_t source = op_read_rm(cpu, op, op->opsize), control = cpu->gpr[op->vvvv];
	unsigned start = control & 0xff, length = control >> 8 & 0xff;
	uint64_t value = start < 64 ? source >> start : 0;

	if (length < 64)
		value &= (UINT64_C(1) << length) - 1;
	put_logic(cpu, op, op->reg, value, false);
}

void insn_bzhi(struct cpu *cpu, const struct op *op)
{
	uint64_t source = op_read_rm(cpu, op, op->opsize);
	unsigned count = cpu->gpr[op->vvvv] & 0xff, bits = 8 * op->opsize;

	if (count < bits)
		source &= (UINT64_C(1) << count) - 1;
	put_logic(cpu, op, op->reg, source, count >= bits);
}

void insn_pdep(struct cpu *cpu, const struct op *op)
{
	uint64_t mask = op_read_rm(cpu, op, op->opsize), value = cpu->gpr[op->vvvv], result = 0;

	for (; mask; mask &= mask - 1, value >>= 1)
		if (value & 1)
			result |= mask & -mask;
	reg_write(cpu, op, op->reg, op->opsize, result);
}

void insn_pext(struct cpu *cpu, const struct op *op)
{
	uint64_t mask = op_read_rm(cpu, op, op->opsize), value = cpu->gpr[op->vvvv], result = 0;

	for (uint64_t bit = 1; mask; mask &= mask - 1, bit <<= 1)
		if (value & mask & -mask)
			result |= bit;
	reg_write(cpu, op, op->reg, op->opsize, result);
}

/* The low half is written first: with equal destinations the high half stays. */
void insn_mulx(struct cpu *cpu, const struct op *op)
{
	unsigned __int128 product = op_read_rm(cpu, op, op->opsize);

	product *= cpu->gpr[REG_RDX] & size_mask(op->opsize);
	reg_write(cpu, op, op->vvvv, op->opsize, (uint64_t)product);
	reg_write(cpu, op, op->reg, op->opsize, (uint64_t)(product >> 8 * op->opsize));
}

void insn_rorx(struct cpu *cpu, const struct op *op)
{
	unsigned bits = 8 * op->opsize, count = (unsigned)op->imm & (bits - 1);
	uint64_t source = op_read_rm(cpu, op, op->opsize);

	if (count)
		source = source >> count | source << (bits - count);
	reg_write(cpu, op, op->reg, op->opsize, source);
}

static unsigned count_in_vvvv(const struct cpu *cpu, const struct op *op)
{
	return (unsigned)cpu->gpr[op->vvvv] & (8 * op->opsize - 1);
}

void insn_shlx(struct cpu *cpu, const struct op *op)
{
	uint64_t source = op_read_rm(cpu, op, op->opsize);

	reg_write(cpu, op, op->reg, op->opsize, source << count_in_vvvv(cpu, op));
}

void insn_shrx(struct cpu *cpu, const struct op *op)
{
	uint64_t source = op_read_rm(cpu, op, op->opsize);

	reg_write(cpu, op, op->reg, op->opsize, source >> count_in_vvvv(cpu, op));
}

void insn_sarx(struct cpu *cpu, const struct op *op)
{
	int64_t source = (int64_t)cc_extend(op_read_rm(cpu, op, op->opsize), op->opsize);

	reg_write(cpu, op, op->reg, op->opsize, (uint64_t)(source >> count_in_vvvv(cpu, op)));
}

/* ---- ADCX, ADOX ---- */

static void add_with(struct cpu *cpu, const struct op *op, bool carry, uint64_t flag)
{
	unsigned __int128 sum = op_read_rm(cpu, op, op->opsize);

	sum += cpu->gpr[op->reg] & size_mask(op->opsize);
	sum += carry;
	reg_write(cpu, op, op->reg, op->opsize, (uint64_t)sum);
	cc_change(cpu, flag, sum >> 8 * op->opsize & 1 ? flag : 0);
}

void insn_adcx(struct cpu *cpu, const struct op *op)
{
	add_with(cpu, op, cc_cf(cpu), RFLAGS_CF);
}

void insn_adox(struct cpu *cpu, const struct op *op)
{
	add_with(cpu, op, cc_of(cpu), RFLAGS_OF);
}

/* ---- CRC32: Castagnoli polynomial, bits reflected, no final inversion ---- */

static void crc32_bytes(struct cpu *cpu, const struct op *op, unsigned size)
{
	uint64_t value = op_read_rm(cpu, op, size);
	uint32_t crc = (uint32_t)cpu->gpr[op->reg];

	for (unsigned i = 0; i < 8 * size; i++, value >>= 1)
		crc = crc >> 1 ^ ((crc ^ (uint32_t)value) & 1 ? UINT32_C(0x82f63b78) : 0);
	cpu->gpr[op->reg] = crc;
}

void insn_crc32_8(struct cpu *cpu, const struct op *op)
{
	crc32_bytes(cpu, op, 1);
}

void insn_crc32_v(struct cpu *cpu, const struct op *op)
{
	crc32_bytes(cpu, op, op->opsize);
}
