/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Port instructions: permission by IOPL and bitmap as a truth table, what the VM exit is told and
 * when, string forms with their registers; time stamps, counters and random numbers as
 * instructions.
 */
#include "l0/machine/interp/cost.h"
#include "tests/l0/machine/interp/fixture.h"

static struct vmx_io last_io;

WEAK void vmx_intercept_io(struct cpu *cpu, const struct vmx_io *io)
{
	seen.intercepted++;
	last_io = *io;
	if (cpu->vmx->primary & PRIMARY_UNCONDITIONAL_IO_EXITING)
		longjmp(*cpu->escape, 4);
}

WEAK void vmx_intercept_insn(struct cpu *cpu, enum vmx_exit_reason reason, uint64_t qualification)
{
	seen.intercepted++;
}

WEAK uint64_t vmx_guest_tsc(const struct cpu *cpu, uint64_t tsc)
{
	return tsc + cpu->vmx->tsc_offset;
}

WEAK uint64_t cpu_tsc(const struct cpu *cpu)
{
	return seen.now;
}

WEAK uint64_t cpu_insn_rip(const struct cpu *cpu)
{
	return 0x1000;
}

WEAK void cpu_unwind(struct cpu *cpu)
{
}

WEAK _Noreturn void cpu_escape(struct cpu *cpu)
{
	longjmp(*cpu->escape, 1);
}

WEAK uint64_t cpu_rflags(const struct cpu *cpu)
{
	return cpu->eflags_rest | cpu->cc_dst;
}

WEAK void cpu_set_rflags(struct cpu *cpu, uint64_t rflags)
{
	cpu->cc_dst = rflags & RFLAGS_STATUS;
	cpu->eflags_rest = rflags & ~RFLAGS_STATUS;
}

WEAK uint64_t op_ea(const struct cpu *cpu, const struct op *op)
{
	return (uint64_t)(int64_t)op->disp;
}

WEAK uint64_t reg_read(const struct cpu *cpu, const struct op *op, unsigned reg, unsigned size)
{
	return cpu->gpr[reg] & (UINT64_MAX >> (64 - 8 * size));
}

WEAK void reg_write(struct cpu *cpu, const struct op *op, unsigned reg, unsigned size,
		    uint64_t value)
{
	uint64_t mask = UINT64_MAX >> (64 - 8 * size);

	cpu->gpr[reg] = size >= 4 ? value & mask : (cpu->gpr[reg] & ~mask) | (value & mask);
}

/* A device at ports 0x100-0x1ff: counts up on reads, remembers writes. */
static struct {
	unsigned reads, writes;
	uint64_t offset, value;
	unsigned size;
	unsigned runs, elements;
	bool disorder;
} device;

static uint64_t device_read(void *opaque, uint64_t offset, unsigned size)
{
	device.offset = offset;
	device.size = size;
	return 0x11111111u * ++device.reads;
}

static void device_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	device.offset = offset;
	device.size = size;
	device.value = value;
	device.writes++;
}

/* Counts elements, which are to be 0, 1, 2 ... */
static void device_write_run(void *opaque, uint64_t offset, unsigned size, const uint8_t *elements,
			     uint64_t count)
{
	device.runs++;
	for (uint64_t i = 0; i < count; i++, device.elements++)
		device.disorder |= memcmp(elements + i * size, &device.elements, size) != 0;
}

static struct region region = {
    .base = 0x100, .length = 0x100, .read = device_read, .write = device_write};

#define TSS UINT64_C(0x6000)
#define MAP 0x70

static struct fixture *with_device(void)
{
	struct fixture *f = fixture_new(NULL);

	memset(&device, 0, sizeof(device));
	region.next = NULL;
	machine_add_ports(&f->machine, &region);
	f->cpu.cr0 = CR0_PE;
	for (unsigned i = SEG_ES; i <= SEG_GS; i++)
		f->cpu.seg[i] = (struct segment){.limit = UINT32_MAX,
						 .ar = AR_P | AR_S | AR_TYPE_WRITABLE | AR_DB};
	f->cpu.seg[SEG_TR] = (struct segment){.base = TSS, .limit = MAP + 0x40,
					      .ar = AR_P | DESC_TSS_BUSY};
	f->machine.memory.low[TSS + 102] = MAP;
	mmu_mode_changed(&f->cpu);
	return f;
}

static bool insn_escapes(struct fixture *f, void (*insn)(struct cpu *, const struct op *),
			 const struct op *op)
{
	return ESCAPES(f, insn(&f->cpu, op));
}

static void set_bit(struct fixture *f, unsigned port)
{
	f->machine.memory.low[TSS + MAP + port / 8] |= (uint8_t)(1u << port % 8);
}

/* SDM 1 "I/O Permission Bit Map": CPL, IOPL, VM86, bits over a byte boundary. */
static void test_permission(void **state)
{
	for (unsigned bits = 0; bits < 64; bits++) {
		unsigned cpl = bits & 3, iopl = bits >> 2 & 3;
		bool vm86 = bits & 16, denied = bits & 32;
		bool consult = vm86 || cpl > iopl;
		struct fixture *f = with_device();
		struct op op = {.opsize = 4, .len = 1};

		if (vm86 && cpl != 3) {
			fixture_free(f);
			continue;
		}
		f->cpu.cpl = (uint8_t)cpl;
		f->cpu.eflags_rest = (uint64_t)iopl << RFLAGS_IOPL_SHIFT | (vm86 ? RFLAGS_VM : 0);
		if (denied)
			set_bit(f, 0x108); /* the last of 0x105-0x108 */
		f->cpu.gpr[REG_RDX] = 0x105;
		mmu_mode_changed(&f->cpu);
		assert_int_equal(insn_escapes(f, insn_in, &op), consult && denied);
		assert_int_equal(device.reads, !(consult && denied));
		if (consult && denied)
			assert_int_equal(f->cpu.event.vector, VECTOR_GP);
		op.opsize = 1; /* 0x105 alone is allowed */
		assert_false(insn_escapes(f, insn_in, &op));
		fixture_free(f);
	}
}

static void test_bitmap_limits(void **state)
{
	struct fixture *f = with_device();
	struct op op = {.opsize = 1, .len = 1};
	static const struct {
		uint32_t limit, ar;
		bool faults;
	} cases[] = {
		{MAP + 0x105 / 8 + 1, AR_P | DESC_TSS_BUSY, false},
		{MAP + 0x105 / 8, AR_P | DESC_TSS_BUSY, true}, /* two bytes are read */
		{102, AR_P | DESC_TSS_BUSY, true},
		{MAP + 0x40, AR_P | DESC_TSS16_BUSY, true},
		{MAP + 0x40, AR_P | DESC_TSS_BUSY | AR_UNUSABLE, true},
	};

	f->cpu.cpl = 3;
	f->cpu.gpr[REG_RDX] = 0x105;
	mmu_mode_changed(&f->cpu);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		f->cpu.seg[SEG_TR].limit = cases[i].limit;
		f->cpu.seg[SEG_TR].ar = cases[i].ar;
		assert_int_equal(insn_escapes(f, insn_in, &op), cases[i].faults);
	}
	fixture_free(f);
}

static void test_registers(void **state)
{
	struct fixture *f = with_device();
	struct op op = {.opsize = 1, .len = 2, .imm = 0x7fffff80};

	f->cpu.gpr[REG_RAX] = UINT64_MAX;
	f->cpu.gpr[REG_RDX] = UINT64_C(0xffffffffffff0110);
	insn_in(&f->cpu, &op);
	assert_int_equal(f->cpu.gpr[REG_RAX], UINT64_C(0xffffffffffffff11));
	assert_int_equal(device.offset, 0x10);
	op.opsize = 4;
	insn_in(&f->cpu, &op);
	assert_int_equal(f->cpu.gpr[REG_RAX], 0x22222222);
	insn_out(&f->cpu, &op);
	assert_int_equal(device.value, 0x22222222);
	assert_int_equal(device.size, 4);
	op.imm = (int32_t)0xffffff80; /* sign-extended by the decoder: the port is the byte */
	f->vmx.nonroot = true;
	insn_out_i(&f->cpu, &op);
	assert_int_equal(last_io.port, 0x80);
	assert_true(last_io.immediate);
	assert_false(last_io.in);
	fixture_free(f);
}

/* The exit comes after the permission check and before the operand's faults and the port. */
static void test_exit_order(void **state)
{
	struct fixture *f = with_device();
	struct op op = {.opsize = 2, .addrsize = 4, .len = 1, .flags = OP_REP, .seg = SEG_DS};

	f->vmx.nonroot = true;
	f->vmx.primary = PRIMARY_UNCONDITIONAL_IO_EXITING;
	f->cpu.gpr[REG_RDX] = 0x110;
	f->cpu.gpr[REG_RCX] = 5;
	f->cpu.gpr[REG_RDI] = 0x7000;
	f->cpu.seg[SEG_ES].limit = 0xfff; /* would be #GP */
	f->cpu.seg[SEG_ES].base = 0x100;
	assert_true(insn_escapes(f, insn_ins, &op));
	assert_false(f->cpu.event.valid);
	assert_int_equal(seen.intercepted, 1);
	assert_int_equal(last_io.port, 0x110);
	assert_int_equal(last_io.size, 2);
	assert_true(last_io.in && last_io.string && last_io.rep);
	assert_int_equal(last_io.linear, 0x7100);
	assert_int_equal(device.reads, 0);
	assert_int_equal(f->cpu.gpr[REG_RCX], 5);
	/* Without the exit: the fault, and still no read of the port. */
	f->vmx.primary = 0;
	assert_true(insn_escapes(f, insn_ins, &op));
	assert_int_equal(f->cpu.event.vector, VECTOR_GP);
	assert_int_equal(device.reads, 0);
	/* No permission: no exit. */
	f->cpu.cpl = 3;
	set_bit(f, 0x110);
	seen.intercepted = 0;
	assert_true(insn_escapes(f, insn_outs, &op));
	assert_int_equal(seen.intercepted, 0);
	fixture_free(f);
}

/* Somebody wants every boundary: one iteration at a time, registers by address size and direction;
 * the instruction starts over until the count is 0. */
static void test_string_forms(void **state)
{
	for (unsigned addrsize = 2; addrsize <= 4; addrsize += 2)
		for (unsigned down = 0; down < 2; down++) {
			struct fixture *f = with_device();
			struct op op = {.opsize = 2, .addrsize = (uint8_t)addrsize, .len = 2,
					.flags = OP_REP, .seg = SEG_DS};
			uint64_t high = UINT64_C(0x5555555500000000);
			uint64_t kept = addrsize == 2 ? high : 0;

			f->cpu.eflags_rest = down ? RFLAGS_DF : 0;
			f->cpu.gpr[REG_RDX] = 0x120;
			f->cpu.gpr[REG_RCX] = high | 2;
			f->cpu.gpr[REG_RDI] = high | 0x7000;
			f->cpu.attention = true;
			assert_true(insn_escapes(f, insn_ins, &op));
			assert_false(f->cpu.event.valid);
			assert_int_equal(f->cpu.gpr[REG_RDI], kept | (down ? 0x6ffe : 0x7002));
			assert_int_equal(f->cpu.gpr[REG_RCX], kept | 1);
			assert_int_equal(device.reads, 1);
			assert_int_equal(ram_read64(f, 0x7000) & 0xffff, 0x1111);
			assert_false(insn_escapes(f, insn_ins, &op));
			assert_int_equal(f->cpu.gpr[REG_RCX], kept);
			/* Count 0: nothing at all. */
			insn_ins(&f->cpu, &op);
			assert_int_equal(device.reads, 2);
			f->cpu.gpr[REG_RSI] = 0x7000;
			f->cpu.gpr[REG_RCX] = 1;
			insn_outs(&f->cpu, &op);
			assert_int_equal(device.value, 0x1111);
			assert_int_equal(f->cpu.gpr[REG_RSI], down ? 0x6ffe : 0x7002);
			fixture_free(f);
		}
}

/* Nobody wants anything: all iterations in one go, each with its access at its price. */
static void test_repeated_slow(void **state)
{
	struct fixture *f = with_device();
	struct op op = {.opsize = 4, .addrsize = 4, .len = 2, .flags = OP_REP, .seg = SEG_DS};

	f->cpu.deadline = 1000000;
	f->cpu.gpr[REG_RDX] = 0x120;
	f->cpu.gpr[REG_RSI] = 0x7000;
	f->cpu.gpr[REG_RCX] = 20;
	assert_false(insn_escapes(f, insn_outs, &op));
	assert_int_equal(device.writes, 20);
	assert_int_equal(f->cpu.gpr[REG_RSI], 0x7050);
	assert_int_equal(f->cpu.gpr[REG_RCX], 0);
	assert_int_equal(seen.now, 20 * (COST_PORT + COST_STRING_ITERATION));
	fixture_free(f);
}

/* The event queue's turn comes in the middle: no iteration begins after the deadline. */
static void test_repeated_deadline(void **state)
{
	struct fixture *f = with_device();
	struct op op = {.opsize = 4, .addrsize = 4, .len = 2, .flags = OP_REP, .seg = SEG_DS};

	f->cpu.deadline = 3 * (COST_PORT + COST_STRING_ITERATION) - 1;
	f->cpu.gpr[REG_RDX] = 0x120;
	f->cpu.gpr[REG_RSI] = 0x7000;
	f->cpu.gpr[REG_RCX] = 20;
	assert_true(insn_escapes(f, insn_outs, &op));
	assert_int_equal(device.writes, 3);
	assert_int_equal(f->cpu.gpr[REG_RCX], 17);
	assert_int_equal(f->cpu.gpr[REG_RSI], 0x700c);
	fixture_free(f);
}

/* A port of no device: runs end at pages and at the deadline, time counts iterations alone. */
static void test_repeated_fast(void **state)
{
	for (unsigned limited = 0; limited < 2; limited++) {
		struct fixture *f = with_device();
		struct op op = {
			.opsize = 4, .addrsize = 4, .len = 2, .flags = OP_REP, .seg = SEG_DS
		};
		uint64_t first = limited ? 1500 : 2000;

		region.fast = true;
		region.write_run = device_write_run;
		f->cpu.mode = MODE_FLAT | MODE_CODE32;
		f->cpu.deadline = limited ? first : 1000000;
		f->cpu.gpr[REG_RDX] = 0x120;
		f->cpu.gpr[REG_RSI] = 0x7100;
		f->cpu.gpr[REG_RCX] = 2000;
		for (unsigned i = 0; i < 2000; i++)
			memcpy(f->machine.memory.low + 0x7100 + 4 * i, &i, 4);
		assert_int_equal(insn_escapes(f, insn_outs, &op), limited);
		assert_int_equal(device.elements, first);
		assert_false(device.disorder);
		assert_int_equal(device.writes, 0);
		assert_int_equal(device.runs, limited ? 2 : 3); /* 960, 1024 and the rest */
		assert_int_equal(f->cpu.gpr[REG_RCX], 2000 - first);
		assert_int_equal(f->cpu.gpr[REG_RSI], 0x7100 + 4 * first);
		assert_int_equal(seen.now, first * COST_STRING_ITERATION);
		region.fast = false;
		region.write_run = NULL;
		fixture_free(f);
	}
}

struct time_case {
	void (*insn)(struct cpu *, const struct op *);
	uint64_t forbids, allows; /* CR4 bits */
};
static const struct time_case time_cases[] = {
	{insn_rdtsc, CR4_TSD, 0},
	{insn_rdtscp, CR4_TSD, 0},
	{insn_rdpmc, 0, CR4_PCE},
};

static void test_time_privilege(void **state)
{
	for (size_t i = 0; i < sizeof(time_cases) / sizeof(time_cases[0]); i++)
		for (unsigned cpl = 0; cpl <= 3; cpl += 3)
			for (unsigned on = 0; on < 2; on++) {
				struct fixture *f = with_device();
				const struct time_case *c = &time_cases[i];
				bool forbidden = cpl && (c->allows ? !on : on);
				struct op op = {.len = 2};

				f->cpu.cpl = (uint8_t)cpl;
				f->cpu.cr4 = on ? c->forbids | c->allows : 0;
				f->cpu.gpr[REG_RCX] = BIT32(30);
				f->cpu.gpr[REG_RDX] = UINT64_MAX;
				seen.now = UINT64_C(0x123456789);
				assert_int_equal(insn_escapes(f, c->insn, &op), forbidden);
				assert_int_equal(seen.intercepted, !forbidden);
				if (!forbidden && c->forbids) {
					assert_int_equal(f->cpu.gpr[REG_RAX], 0x23456789);
					assert_int_equal(f->cpu.gpr[REG_RDX], 1);
				}
				fixture_free(f);
			}
}

static void test_rdpmc_counters(void **state)
{
	static const uint32_t bad[] = {4, 5, BIT32(30) | 3, BIT32(29)};
	struct fixture *f = with_device();
	struct op op = {.len = 2};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		f->cpu.gpr[REG_RCX] = bad[i];
		assert_true(insn_escapes(f, insn_rdpmc, &op));
		assert_int_equal(f->cpu.event.vector, VECTOR_GP);
	}
	fixture_free(f);
}

/* "enable RDTSCP" 0: #UD comes before everything else. */
static void test_rdtscp_control(void **state)
{
	struct fixture *f = with_device();
	struct op op = {.len = 3, .rm = REG_RBX};

	f->vmx.nonroot = true;
	f->cpu.cr4 = CR4_TSD;
	f->cpu.cpl = 3;
	assert_true(insn_escapes(f, insn_rdtscp, &op));
	assert_int_equal(f->cpu.event.vector, VECTOR_UD);
	assert_true(insn_escapes(f, insn_rdpid, &op));
	assert_int_equal(f->cpu.event.vector, VECTOR_UD);
	f->vmx.secondary = SECONDARY_ENABLE_RDTSCP;
	f->cpu.msrs.tsc_aux = 9;
	assert_true(insn_escapes(f, insn_rdtscp, &op));
	assert_int_equal(f->cpu.event.vector, VECTOR_GP);
	f->cpu.cr4 = 0;
	assert_false(insn_escapes(f, insn_rdtscp, &op));
	assert_int_equal(f->cpu.gpr[REG_RCX], 9);
	assert_false(insn_escapes(f, insn_rdpid, &op));
	assert_int_equal(f->cpu.gpr[REG_RBX], 9);
	fixture_free(f);
}

static void test_random(void **state)
{
	struct fixture *f = with_device();
	struct op op = {.opsize = 8, .len = 3, .rm = REG_RBX};
	uint64_t first;

	cpu_set_rflags(&f->cpu, RFLAGS_ZF | RFLAGS_SF);
	seen.retired = 10;
	insn_rdrand(&f->cpu, &op);
	first = f->cpu.gpr[REG_RBX];
	assert_int_equal(cpu_rflags(&f->cpu) & RFLAGS_STATUS, RFLAGS_CF);
	insn_rdseed(&f->cpu, &op);
	assert_int_not_equal(f->cpu.gpr[REG_RBX], first);
	seen.retired = 11;
	insn_rdrand(&f->cpu, &op);
	assert_int_not_equal(f->cpu.gpr[REG_RBX], first);
	seen.retired = 10; /* deterministic */
	insn_rdrand(&f->cpu, &op);
	assert_int_equal(f->cpu.gpr[REG_RBX], first);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_permission),
		cmocka_unit_test(test_bitmap_limits),
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_exit_order),
		cmocka_unit_test(test_string_forms),
		cmocka_unit_test(test_repeated_slow),
		cmocka_unit_test(test_repeated_deadline),
		cmocka_unit_test(test_repeated_fast),
		cmocka_unit_test(test_time_privilege),
		cmocka_unit_test(test_rdpmc_counters),
		cmocka_unit_test(test_rdtscp_control),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
