/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Local APIC: registers in both modes, priorities, EOI, IPIs, timer to the cycle, IA32_APIC_BASE.
 */
#include "l0/machine/devices/lapic.h"
#include "tests/l0/machine/fixture.h"

#define TPR LAPIC(0x80)
#define PPR LAPIC(0xa0)
#define EOI LAPIC(0xb0)
#define SVR LAPIC(0xf0)
#define ISR(n) LAPIC(0x100 + 16 * (n))
#define TMR(n) LAPIC(0x180 + 16 * (n))
#define IRR(n) LAPIC(0x200 + 16 * (n))
#define ESR LAPIC(0x280)
#define ICR LAPIC(0x300)
#define ICR_HIGH LAPIC(0x310)
#define LVT_TIMER_REG LAPIC(0x320)
#define LVT_ERROR_REG LAPIC(0x370)
#define INITIAL LAPIC(0x380)
#define CURRENT LAPIC(0x390)
#define DIVIDE LAPIC(0x3e0)
#define SELF 0x40000u
#define BASE UINT64_C(0xfee00000)

static bool to_x2apic(void)
{
	return lapic_set_base(fixture.machine.lapic, BASE | 0xd00);
}

static bool msr_write(uint32_t msr, uint64_t value)
{
	return lapic_msr_write(fixture.machine.lapic, msr, value);
}

static uint64_t msr_read(uint32_t msr)
{
	uint64_t value = UINT64_MAX;

	assert_true(lapic_msr_read(fixture.machine.lapic, msr, &value));
	return value;
}

static void self(uint8_t vector)
{
	mmio_out(ICR, SELF | vector);
}

/* SDM 3A "Local APIC State After Power-Up or Reset". */
static void reset_state(void **state)
{
	static const struct {
		unsigned offset;
		uint32_t value;
	} rows[] = {
	    {0x020, 0},		 {0x030, 0x01050015}, {0x080, 0},	{0x0d0, 0},
	    {0x0e0, 0xffffffff}, {0x0f0, 0xff},	      {0x280, 0},	{0x300, 0},
	    {0x310, 0},		 {0x320, 0x10000},    {0x330, 0x10000}, {0x340, 0x10000},
	    {0x350, 0x10000},	 {0x360, 0x10000},    {0x370, 0x10000}, {0x380, 0},
	    {0x390, 0},		 {0x3e0, 0},
	};

	/* As firmware leaves it: */
	assert_int_equal(mmio_in(SVR), 0x1ff);
	assert_int_equal(mmio_in(LAPIC(0x350)), 0x700);
	assert_int_equal(mmio_in(LAPIC(0x360)), 0x400);
	assert_true(lapic_base(fixture.machine.lapic) == (BASE | 0x900));
	lapic_reset(fixture.machine.lapic, false);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(mmio_in(LAPIC(rows[i].offset)), rows[i].value);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(mmio_in(ISR(i)) | mmio_in(TMR(i)) | mmio_in(IRR(i)), 0);
}

/* Writes of all ones and of 0 through the xAPIC page: what sticks. */
static void writable_bits(void **state)
{
	static const struct {
		unsigned offset;
		uint32_t ones, zeros;
	} rows[] = {
		{ 0x020, 0, 0 },
		{ 0x030, 0x01050015, 0x01050015 },
		{ 0x080, 0xff, 0 },
		{ 0x0d0, 0xff000000, 0 },
		{ 0x0e0, 0xffffffff, 0x0fffffff },
		{ 0x0f0, 0x11ff, 0 },
		{ 0x310, 0xff000000, 0 },
		{ 0x320, 0x700ff, 0x10000 }, /* the APIC is off after SVR = 0: masks stay set */
		{ 0x330, 0x107ff, 0x10000 },
		{ 0x340, 0x107ff, 0x10000 },
		{ 0x350, 0x1a7ff, 0x10000 },
		{ 0x360, 0x1a7ff, 0x10000 },
		{ 0x370, 0x100ff, 0x10000 },
		{ 0x3e0, 0xb, 0 },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		mmio_out(LAPIC(rows[i].offset), 0xffffffff);
		assert_int_equal(mmio_in(LAPIC(rows[i].offset)), rows[i].ones);
		mmio_out(LAPIC(rows[i].offset), 0);
		assert_int_equal(mmio_in(LAPIC(rows[i].offset)), rows[i].zeros);
	}
}

static void priorities(void **state)
{
	self(0x41);
	self(0x45);
	self(0x52);
	assert_int_equal(mmio_in(IRR(2)), 0x00040022);
	assert_int_equal(take(), 0x52);
	assert_int_equal(mmio_in(PPR), 0x50);
	assert_int_equal(take(), -1);
	self(0x5f); /* same class: waits */
	assert_int_equal(take(), -1);
	self(0x60);
	assert_int_equal(take(), 0x60);
	assert_int_equal(mmio_in(ISR(2)) | mmio_in(ISR(3)), 0x00040001);
	mmio_out(EOI, 0);
	assert_int_equal(take(), -1);
	mmio_out(EOI, 0);
	assert_int_equal(take(), 0x5f);
	mmio_out(EOI, 0);
	assert_int_equal(take(), 0x45);
	mmio_out(EOI, 0);
	assert_int_equal(take(), 0x41);
	mmio_out(EOI, 0);
	mmio_out(EOI, 0); /* nothing in service: no effect */
	assert_int_equal(mmio_in(PPR), 0);
}

static void task_priority(void **state)
{
	static const struct {
		uint8_t tpr, vector, ppr;
		bool delivered;
	} rows[] = {
		{ 0x00, 0x10, 0x00, true },  { 0x10, 0x1f, 0x10, false },
		{ 0x1f, 0x20, 0x1f, true },  { 0x20, 0x2f, 0x20, false },
		{ 0xe0, 0xf0, 0xe0, true },  { 0xf0, 0xff, 0xf0, false },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		mmio_out(TPR, rows[i].tpr);
		self(rows[i].vector);
		assert_int_equal(lapic_cr8(fixture.machine.lapic), rows[i].tpr >> 4);
		assert_int_equal(mmio_in(PPR), rows[i].ppr);
		assert_int_equal(pending(), rows[i].delivered);
		lapic_set_cr8(fixture.machine.lapic, 0);
		assert_int_equal(mmio_in(TPR), 0);
		assert_int_equal(take(), rows[i].vector);
		mmio_out(EOI, 0);
	}
}

/* One processor, ID 0: who gets what. */
static void ipi_destinations(void **state)
{
	static const struct {
		uint32_t ldr, dfr, high, low;
		bool arrives;
	} rows[] = {
		{ 0, ~0u, 0x00000000, 0x00031, true },	 /* physical, us */
		{ 0, ~0u, 0x01000000, 0x00031, false },	 /* somebody else */
		{ 0, ~0u, 0xff000000, 0x00031, true },	 /* everybody */
		{ 0, ~0u, 0x01000000, 0x40031, true },	 /* self */
		{ 0, ~0u, 0x01000000, 0x80031, true },	 /* all including self */
		{ 0, ~0u, 0x00000000, 0xc0031, false },	 /* all others */
		{ 0x04000000, ~0u, 0x06000000, 0x00831, true }, /* flat logical */
		{ 0x04000000, ~0u, 0x03000000, 0x00831, false },
		{ 0x04000000, ~0u, 0xff000000, 0x00831, true },
		{ 0x21000000, 0, 0x23000000, 0x00831, true }, /* cluster 2, member 0 */
		{ 0x21000000, 0, 0x22000000, 0x00831, false },
		{ 0x21000000, 0, 0x31000000, 0x00831, false },
		{ 0x21000000, 0, 0xf1000000, 0x00831, true },
		{ 0, ~0u, 0x00000000, 0x00131, true },	/* lowest priority */
		{ 0, ~0u, 0x00000000, 0x08031, true },	/* level bit means nothing here */
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		mmio_out(LAPIC(0xd0), rows[i].ldr);
		mmio_out(LAPIC(0xe0), rows[i].dfr);
		mmio_out(ICR_HIGH, rows[i].high);
		mmio_out(ICR, rows[i].low);
		assert_int_equal(take(), rows[i].arrives ? 0x31 : -1);
		assert_int_equal(mmio_in(ICR), rows[i].low);
		mmio_out(EOI, 0);
	}
}

static void ipi_modes(void **state)
{
	mmio_out(ICR_HIGH, 0);
	mmio_out(ICR, 0x4400);
	assert_int_equal(fixture.nmis, 1);
	mmio_out(ICR, 0x4500);
	assert_int_equal(fixture.inits, 1);
	mmio_out(ICR, 0x8500); /* INIT level de-assert */
	assert_int_equal(fixture.inits, 1);
	mmio_out(ICR, 0x4699);
	assert_int_equal(fixture.sipi, 0x99);
	mmio_out(ICR, 0xc4400); /* NMI to all others: nobody */
	mmio_out(ICR, 0x44400); /* NMI to self by shorthand is not a valid combination */
	assert_int_equal(fixture.nmis, 1);
	assert_int_equal(take(), -1);
}

static void errors(void **state)
{
	mmio_out(LVT_ERROR_REG, 0xe0);
	self(0x0f);
	assert_int_equal(mmio_in(ESR), 0); /* not before a write */
	mmio_out(ESR, 0);
	assert_int_equal(mmio_in(ESR), 0x20);
	assert_int_equal(take(), 0xe0);
	mmio_out(EOI, 0);
	mmio_in(LAPIC(0x3f0));
	mmio_out(LAPIC(0x2f0), 1); /* no CMCI on this part */
	assert_int_equal(take(), 0xe0);
	mmio_out(ESR, 0);
	assert_int_equal(mmio_in(ESR), 0x80);
	mmio_out(ESR, 0);
	assert_int_equal(mmio_in(ESR), 0);
}

static void software_disable(void **state)
{
	self(0x66);
	mmio_out(LVT_ERROR_REG, 0xe0);
	mmio_out(SVR, 0xff);
	assert_int_equal(mmio_in(LVT_ERROR_REG), 0x100e0);
	assert_int_equal(mmio_in(LAPIC(0x350)), 0x10700);
	self(0x77);
	assert_int_equal(mmio_in(IRR(3)), 0x40); /* what is pending stays, nothing new comes */
	assert_int_equal(take(), 0x66);
	mmio_out(ICR, 0x4400); /* NMI, INIT, SIPI go on working */
	assert_int_equal(fixture.nmis, 1);
}

static void timer_one_shot(void **state)
{
	mmio_out(DIVIDE, 0x3); /* by 16 */
	mmio_out(LVT_TIMER_REG, 0x30);
	fixture_advance_to(1000);
	mmio_out(INITIAL, 100);
	assert_int_equal(mmio_in(CURRENT), 100);
	fixture_advance_to(1000 + 16);
	assert_int_equal(mmio_in(CURRENT), 99);
	fixture_advance_to(1000 + 1600 - 1);
	assert_int_equal(mmio_in(CURRENT), 1);
	assert_int_equal(take(), -1);
	fixture_advance_to(1000 + 1600);
	assert_int_equal(mmio_in(CURRENT), 0);
	assert_int_equal(take(), 0x30);
	mmio_out(EOI, 0);
	fixture_advance(100000);
	assert_int_equal(take(), -1);
	assert_int_equal(mmio_in(INITIAL), 100);
}

static void timer_dividers(void **state)
{
	static const struct {
		uint8_t config;
		unsigned by;
	} rows[] = { { 0, 2 }, { 1, 4 }, { 2, 8 }, { 3, 16 }, { 8, 32 }, { 9, 64 }, { 10, 128 },
		     { 11, 1 } };

	mmio_out(LVT_TIMER_REG, 0x30);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t start = fixture.now;

		mmio_out(DIVIDE, rows[i].config);
		mmio_out(INITIAL, 3);
		fixture_advance_to(start + 3 * rows[i].by - 1);
		assert_int_equal(take(), -1);
		fixture_advance_to(start + 3 * rows[i].by);
		assert_int_equal(take(), 0x30);
		mmio_out(EOI, 0);
	}
}

static void timer_periodic(void **state)
{
	mmio_out(DIVIDE, 0xb);
	mmio_out(LVT_TIMER_REG, 0x20031);
	mmio_out(INITIAL, 1000);
	for (unsigned i = 1; i <= 4; i++) {
		fixture_advance_to(1000 * i - 1);
		assert_int_equal(take(), -1);
		fixture_advance_to(1000 * i);
		assert_int_equal(mmio_in(CURRENT), 1000);
		assert_int_equal(take(), 0x31);
		mmio_out(EOI, 0);
	}
	mmio_out(LVT_TIMER_REG, 0x30031); /* masked: counts on in silence */
	fixture_advance(2500);
	assert_int_equal(take(), -1);
	assert_int_equal(mmio_in(CURRENT), 500);
	mmio_out(INITIAL, 0);
	assert_int_equal(mmio_in(CURRENT), 0);
	fixture_advance(1000000);
	assert_int_equal(take(), -1);
}

/* A change of divider goes on from the count. */
static void timer_divider_change(void **state)
{
	mmio_out(DIVIDE, 0xb);
	mmio_out(LVT_TIMER_REG, 0x30);
	mmio_out(INITIAL, 1000);
	fixture_advance(600);
	mmio_out(DIVIDE, 0);
	assert_int_equal(mmio_in(CURRENT), 400);
	fixture_advance(799);
	assert_int_equal(take(), -1);
	fixture_advance(1);
	assert_int_equal(take(), 0x30);
}

static void timer_deadline(void **state)
{
	struct lapic *lapic = fixture.machine.lapic;

	lapic_set_deadline(lapic, 5000, 0); /* not in this mode: ignored */
	assert_int_equal(lapic_deadline(lapic), 0);
	mmio_out(LVT_TIMER_REG, 0x40032);
	mmio_out(INITIAL, 10); /* ignored in this one */
	assert_int_equal(mmio_in(INITIAL), 0);
	fixture_advance_to(100);
	lapic_set_deadline(lapic, 7000, 5000); /* a TSC that is ahead */
	assert_int_equal(lapic_deadline(lapic), 7000);
	assert_int_equal(mmio_in(CURRENT), 0);
	fixture_advance_to(2099);
	assert_int_equal(take(), -1);
	fixture_advance_to(2100);
	assert_int_equal(take(), 0x32);
	assert_int_equal(lapic_deadline(lapic), 0);
	mmio_out(EOI, 0);
	lapic_set_deadline(lapic, 1, 9000); /* in the past: at once */
	fixture_advance(0);
	assert_int_equal(take(), 0x32);
	mmio_out(EOI, 0);
	lapic_set_deadline(lapic, UINT64_MAX, 0); /* never */
	assert_true(lapic_deadline(lapic) == UINT64_MAX);
	lapic_set_deadline(lapic, 0, 0);
	assert_int_equal(lapic_deadline(lapic), 0);
	lapic_set_deadline(lapic, 50000, 0);
	mmio_out(LVT_TIMER_REG, 0x00032); /* leaving the mode disarms */
	assert_int_equal(lapic_deadline(lapic), 0);
	fixture_advance(100000);
	assert_int_equal(take(), -1);
}

/* SDM 3A "x2APIC State Transitions". */
static void base_transitions(void **state)
{
	enum { INVALID, DISABLED, XAPIC, X2APIC };
	static const uint64_t bits[] = { 0x400, 0, 0x800, 0xc00 };
	static const bool allowed[4][4] = {
		[DISABLED] = { [DISABLED] = true, [XAPIC] = true },
		[XAPIC] = { [DISABLED] = true, [XAPIC] = true, [X2APIC] = true },
		[X2APIC] = { [DISABLED] = true, [X2APIC] = true },
	};
	struct lapic *lapic = fixture.machine.lapic;

	for (unsigned from = DISABLED; from <= X2APIC; from++) {
		for (unsigned to = INVALID; to <= X2APIC; to++) {
			assert_true(lapic_set_base(lapic, BASE | 0x100));
			assert_true(from == DISABLED || lapic_set_base(lapic, BASE | 0x900));
			assert_true(from != X2APIC || lapic_set_base(lapic, BASE | 0xd00));
			assert_int_equal(lapic_set_base(lapic, BASE | 0x100 | bits[to]),
					 allowed[from][to]);
		}
	}
	assert_false(lapic_set_base(lapic, BASE | 0x901));
	assert_false(lapic_set_base(lapic, UINT64_MAX));
}

static void base_moves(void **state)
{
	assert_true(lapic_set_base(fixture.machine.lapic, 0xfea00900));
	assert_int_equal(mmio_in(0xfea00030), 0x01050015);
	assert_int_equal(mmio_in(LAPIC(0x30)), 0xffffffff);
	assert_true(to_x2apic());
	assert_int_equal(mmio_in(LAPIC(0x30)), 0xffffffff);
}

static void x2apic_registers(void **state)
{
	/* MSR, readable, writable with 0, a value with a reserved bit (0: none) */
	static const struct {
		uint32_t msr;
		bool readable, writable;
		uint64_t reserved;
	} rows[] = {
		{ 0x800, false, false, 0 },	     { 0x802, true, false, 0 },
		{ 0x803, true, false, 0 },	     { 0x808, true, true, 0x100 },
		{ 0x809, false, false, 0 },	     { 0x80a, true, false, 0 },
		{ 0x80b, false, true, 1 },	     { 0x80d, true, false, 0 },
		{ 0x80e, false, false, 0 },	     { 0x80f, true, true, 0x2000 },
		{ 0x810, true, false, 0 },	     { 0x817, true, false, 0 },
		{ 0x81f, true, false, 0 },	     { 0x827, true, false, 0 },
		{ 0x828, true, true, 1 },	     { 0x82f, false, false, 0 },
		{ 0x830, true, true, 0x2000 },	     { 0x831, false, false, 0 },
		{ 0x832, true, true, 0x80000 },	     { 0x837, true, true, 0x700 },
		{ 0x838, true, true, UINT64_C(1) << 32 }, { 0x839, true, false, 0 },
		{ 0x83e, true, true, 4 },	     { 0x83f, false, true, 0x100 },
		{ 0x840, false, false, 0 },	     { 0x8ff, false, false, 0 },
	};
	uint64_t value;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lapic *lapic = fixture.machine.lapic;

		fixture_teardown(state);
		fixture_setup(state);
		lapic = fixture.machine.lapic;
		assert_false(lapic_msr_read(lapic, rows[i].msr, &value)); /* xAPIC mode */
		assert_false(msr_write(rows[i].msr, 0));
		assert_true(to_x2apic());
		assert_int_equal(lapic_msr_read(lapic, rows[i].msr, &value), rows[i].readable);
		assert_int_equal(msr_write(rows[i].msr, 0), rows[i].writable);
		if (rows[i].reserved)
			assert_false(msr_write(rows[i].msr, rows[i].reserved));
	}
}

static void x2apic_ipis(void **state)
{
	assert_true(to_x2apic());
	assert_int_equal(msr_read(0x80d), 1); /* cluster 0, member 0 */
	assert_true(msr_write(0x83f, 0x71));
	assert_int_equal(take(), 0x71);
	assert_true(msr_write(0x80b, 0));
	assert_true(msr_write(0x830, 0x72)); /* physical 0 */
	assert_int_equal(take(), 0x72);
	assert_true(msr_write(0x80b, 0));
	assert_true(msr_write(0x830, (UINT64_C(0xff) << 32) | 0x73)); /* not a broadcast here */
	assert_int_equal(take(), -1);
	assert_true(msr_write(0x830, (UINT64_C(0xffffffff) << 32) | 0x74));
	assert_int_equal(take(), 0x74);
	assert_true(msr_read(0x830) == ((UINT64_C(0xffffffff) << 32) | 0x74));
	assert_true(msr_write(0x80b, 0));
	assert_true(msr_write(0x830, (UINT64_C(0x3) << 32) | 0x875)); /* logical */
	assert_int_equal(take(), 0x75);
	assert_true(msr_write(0x80b, 0));
	assert_true(msr_write(0x830, (UINT64_C(0x10001) << 32) | 0x875)); /* another cluster */
	assert_int_equal(take(), -1);
}

static void parts_of_registers(void **state)
{
	mmio_out(TPR, 0x5a);
	assert_int_equal(machine_mmio_read(&fixture.machine, TPR, 1), 0x5a);
	assert_int_equal(machine_mmio_read(&fixture.machine, LAPIC(0x32), 2), 0x0105);
	assert_int_equal(machine_mmio_read(&fixture.machine, LAPIC(0x84), 4), 0);
	machine_mmio_write(&fixture.machine, TPR, 1, 0x10);
	assert_int_equal(mmio_in(TPR), 0x5a);
}

static void performance_interrupt_masks_itself(void **state)
{
	mmio_out(LAPIC(0x340), 0x400);
	lapic_local_interrupt(fixture.machine.lapic, LVT_PERFORMANCE);
	assert_int_equal(fixture.nmis, 1);
	assert_int_equal(mmio_in(LAPIC(0x340)), 0x10400);
	lapic_local_interrupt(fixture.machine.lapic, LVT_PERFORMANCE);
	assert_int_equal(fixture.nmis, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(reset_state),	  DEVICE_TEST(writable_bits),
		DEVICE_TEST(priorities),	  DEVICE_TEST(task_priority),
		DEVICE_TEST(ipi_destinations),	  DEVICE_TEST(ipi_modes),
		DEVICE_TEST(errors),		  DEVICE_TEST(software_disable),
		DEVICE_TEST(timer_one_shot),	  DEVICE_TEST(timer_dividers),
		DEVICE_TEST(timer_periodic),	  DEVICE_TEST(timer_divider_change),
		DEVICE_TEST(timer_deadline),	  DEVICE_TEST(base_transitions),
		DEVICE_TEST(base_moves),	  DEVICE_TEST(x2apic_registers),
		DEVICE_TEST(x2apic_ipis),	  DEVICE_TEST(parts_of_registers),
		DEVICE_TEST(performance_interrupt_masks_itself),
	};
	return cmocka_run_group_tests_name("lapic", tests, NULL, NULL);
}
