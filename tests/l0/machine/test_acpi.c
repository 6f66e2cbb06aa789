/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ACPI as an operating system finds it: tables by signature and checksum, then the hardware that
 * they describe, driven by nothing but what they say. Reset, keyboard controller and PCI ports as
 * well.
 */
#include <string.h>

#include "l0/machine/clock.h"
#include "l0/machine/devices/platform.h"
#include "tests/l0/machine/fixture.h"

static const uint8_t *ram(uint64_t at)
{
	return fixture.machine.memory.low + at;
}

static uint64_t field(const uint8_t *table, unsigned at, unsigned size)
{
	uint64_t value = 0;

	memcpy(&value, table + at, size);
	return value;
}

static uint8_t sum(const uint8_t *bytes, size_t length)
{
	uint8_t total = 0;

	while (length--)
		total += *bytes++;
	return total;
}

static int setup(void **state)
{
	int failed = fixture_setup(state);

	firmware_build(&fixture.machine);
	return failed;
}

static const uint8_t *find_rsdp(void)
{
	for (uint64_t at = 0xe0000; at < 0x100000; at += 16)
		if (!memcmp(ram(at), "RSD PTR ", 8))
			return ram(at);
	fail_msg("no RSDP");
	return NULL;
}

/* By way of the XSDT (width 8) or the RSDT (4). */
static const uint8_t *find_table(const char *signature, unsigned width)
{
	const uint8_t *rsdp = find_rsdp();
	const uint8_t *root = ram(width == 8 ? field(rsdp, 24, 8) : field(rsdp, 16, 4));

	assert_memory_equal(root, width == 8 ? "XSDT" : "RSDT", 4);
	assert_int_equal(sum(root, field(root, 4, 4)), 0);
	for (unsigned at = 36; at < field(root, 4, 4); at += width) {
		const uint8_t *table = ram(field(root, at, width));

		assert_int_equal(sum(table, field(table, 4, 4)), 0);
		if (!memcmp(table, signature, 4))
			return table;
	}
	fail_msg("no %s", signature);
	return NULL;
}

static void checksums(void **state)
{
	const uint8_t *rsdp = find_rsdp();

	assert_int_equal(sum(rsdp, 20), 0);
	assert_int_equal(sum(rsdp, 36), 0);
	assert_int_equal(rsdp[15], 2);
	assert_ptr_equal(find_table("FACP", 4), find_table("FACP", 8));
	assert_ptr_equal(find_table("APIC", 4), find_table("APIC", 8));
	const uint8_t *fadt = find_table("FACP", 8), *dsdt = ram(field(fadt, 40, 4));
	assert_memory_equal(dsdt, "DSDT", 4);
	assert_int_equal(sum(dsdt, field(dsdt, 4, 4)), 0);
	assert_int_equal(field(fadt, 40, 4), field(fadt, 140, 8));
	assert_memory_equal(ram(field(fadt, 36, 4)), "FACS", 4);
	assert_int_equal(field(fadt, 36, 4) % 64, 0);
	assert_true(fadt[8] >= 3);
	assert_int_equal(field(fadt, 4, 4), 244);
}

static void power_off(void **state)
{
	const uint8_t *fadt = find_table("FACP", 8), *dsdt = ram(field(fadt, 40, 4));
	const uint8_t *s5 = memmem(dsdt, field(dsdt, 4, 4), "\x08_S5_\x12", 6);

	assert_non_null(s5);
	assert_int_equal(s5[6], 8);	/* length of the package */
	assert_int_equal(s5[7], 4);	/* elements */
	assert_int_equal(s5[8], 0x0a); /* byte constant */
	uint16_t control = field(fadt, 64, 4);
	assert_int_equal(field(fadt, 172 + 4, 8), control);
	assert_true(machine_port_read(&fixture.machine, control, 2) & 1); /* SCI_EN */
	machine_port_write(&fixture.machine, control, 2, s5[9] << 10);
	assert_int_equal(fixture.machine.stop, STOP_NONE); /* SLP_EN is missing */
	machine_port_write(&fixture.machine, control, 2, s5[9] << 10 | 1 << 13);
	assert_int_equal(fixture.machine.stop, STOP_POWER_OFF);
}

static void sleep_state_that_is_not(void **state)
{
	machine_port_write(&fixture.machine, PM1A_CONTROL_PORT, 2, 5 << 10 | 1 << 13);
	assert_int_equal(fixture.machine.stop, STOP_NONE);
}

static void reset_register(void **state)
{
	const uint8_t *fadt = find_table("FACP", 8);

	assert_true(field(fadt, 112, 4) & 1 << 10);
	assert_int_equal(fadt[116], 1); /* system I/O */
	out8(field(fadt, 120, 8), fadt[128]);
	assert_int_equal(fixture.machine.stop, STOP_RESET);
}

static void madt(void **state)
{
	const uint8_t *table = find_table("APIC", 8);
	unsigned seen[256] = { 0 };

	assert_int_equal(field(table, 36, 4), 0xfee00000);
	assert_int_equal(field(table, 40, 4), 1);
	for (unsigned at = 44; at < field(table, 4, 4); at += table[at + 1]) {
		assert_true(table[at + 1] >= 2);
		seen[table[at]]++;
		if (table[at] == 1)
			assert_int_equal(mmio_in(field(table, at + 4, 4) + 0x10), 0);
		if (table[at] == 2 && table[at + 3] == 0)
			assert_int_equal(field(table, at + 4, 4), 2);
		if (table[at] == 2 && table[at + 3] == 9)
			assert_int_equal(field(table, at + 8, 2), 0xd);
	}
	assert_int_equal(seen[0], 1);
	assert_int_equal(seen[1], 1);
	assert_int_equal(seen[2], 2);
	assert_int_equal(seen[4], 1);
}

static uint32_t pm_timer(void)
{
	return machine_port_read(&fixture.machine, PM_TIMER_PORT, 4);
}

static void pm_timer_rate(void **state)
{
	fixture_advance_to(MACHINE_HZ);
	assert_int_equal(pm_timer(), 3579545);
	fixture_advance_to(clock_cycles(3579546, PM_TIMER_HZ) - 1);
	assert_int_equal(pm_timer(), 3579545);
	fixture_advance(1);
	assert_int_equal(pm_timer(), 3579546);
	fixture_advance_to(clock_cycles((1 << 24) + 5, PM_TIMER_HZ));
	assert_int_equal(pm_timer(), 5); /* 24 bits */
}

/* TMR_STS at every change of the top bit; SCI on IRQ 9 while enabled. */
static void pm_timer_overflow(void **state)
{
	out8(0x21, 0xfb);
	out8(0xa1, 0xfd);
	machine_port_write(&fixture.machine, PM1A_EVENT_PORT + 2, 2, 1);
	fixture_advance_to(clock_cycles(1 << 23, PM_TIMER_HZ) - 1);
	assert_int_equal(take(), -1);
	fixture_advance(1);
	assert_int_equal(take(), 0x71);
	assert_int_equal(machine_port_read(&fixture.machine, PM1A_EVENT_PORT, 2), 1);
	machine_port_write(&fixture.machine, PM1A_EVENT_PORT, 2, 1);
	assert_int_equal(machine_port_read(&fixture.machine, PM1A_EVENT_PORT, 2), 0);
	out8(0xa0, 0x20);
	out8(0x20, 0x20);
	assert_int_equal(take(), -1);
	fixture_advance_to(clock_cycles(1 << 24, PM_TIMER_HZ));
	assert_int_equal(take(), 0x71);
}

static void keyboard_controller(void **state)
{
	static const struct {
		uint8_t command;
		int data; /* -1: none */
		uint8_t answer, status;
	} rows[] = {
		{ 0xaa, -1, 0x55, 0x1d }, { 0xab, -1, 0x00, 0x1d }, { 0x20, -1, 0x34, 0x1d },
		{ 0xd0, -1, 0x03, 0x1d }, { 0xd2, 0x1c, 0x1c, 0x15 }, { 0xd3, 0x08, 0x08, 0x35 },
		{ 0xd4, 0xf2, 0xfe, 0x75 },
	};

	assert_int_equal(in8(0x64), 0x14);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		out8(0x64, rows[i].command);
		if (rows[i].data >= 0)
			out8(0x60, rows[i].data);
		assert_int_equal(in8(0x64), rows[i].status);
		assert_int_equal(in8(0x60), rows[i].answer);
		assert_int_equal(in8(0x64) & 0x61, 0);
	}
	out8(0x64, 0x60); /* write command byte: IRQ 1 on */
	out8(0x60, 0x45);
	out8(0x21, 0xfd);
	out8(0x60, 0xed); /* a keyboard that is not there */
	assert_int_equal(take(), 0x09);
	assert_int_equal(in8(0x64), 0x55);
	assert_int_equal(in8(0x60), 0xfe);
	out8(0x64, 0xff);
	assert_int_equal(fixture.machine.stop, STOP_NONE);
	out8(0x64, 0xfe);
	assert_int_equal(fixture.machine.stop, STOP_RESET);
}

static void reset_ports(void **state)
{
	assert_int_equal(in8(0x92), 0x02);
	out8(0x92, 0x00);
	assert_int_equal(in8(0x92), 0x00);
	out8(0xcf9, 0x02);
	assert_int_equal(fixture.machine.stop, STOP_NONE);
	out8(0x92, 0x01);
	assert_int_equal(fixture.machine.stop, STOP_RESET);
}

static uint32_t pci_read(uint32_t address)
{
	machine_port_write(&fixture.machine, 0xcf8, 4, address);
	return machine_port_read(&fixture.machine, 0xcfc, 4);
}

static void pci(void **state)
{
	assert_int_equal(pci_read(0x80000000), 0x12378086);
	assert_int_equal(pci_read(0x80000008), 0x06000000);
	assert_int_equal(machine_port_read(&fixture.machine, 0xcf8, 4), 0x80000008);
	assert_int_equal(pci_read(0x00000000), 0xffffffff);
	for (unsigned device = 2; device < 32; device++)
		assert_int_equal(pci_read(0x80000000 | device << 11), 0xffffffff);
	assert_int_equal(pci_read(0x80010000), 0xffffffff);
	pci_read(0x80000000);
	assert_int_equal(machine_port_read(&fixture.machine, 0xcfe, 2), 0x1237);
	assert_int_equal(in8(0xcfd), 0x80);
	out8(0xcf8, 0xff); /* not a 32-bit write */
	assert_int_equal(machine_port_read(&fixture.machine, 0xcf8, 4), 0x80000000);
}

static void pci_functions(void **state)
{
	assert_int_equal(pci_read(0x80000800), 0x70008086);
	assert_int_equal(pci_read(0x8000080c) >> 16 & 0xff, 0x80); /* more than one function */
	assert_int_equal(pci_read(0x80000900), 0xffffffff);
	assert_int_equal(pci_read(0x80000b00), 0x71138086);
	assert_int_equal(pci_read(0x80000b40), PM1A_EVENT_PORT | 1);
	assert_int_equal(pci_read(0x80000b3c), 0x100 | SCI_IRQ);
}

/* Writable bits change, the others do not, and only in the bytes written. */
static void pci_write(void **state)
{
	pci_read(0x80000860);
	out8(0xcfd, 0x7a);
	assert_int_equal(pci_read(0x80000860), 0x80800a80);
	machine_port_write(&fixture.machine, 0xcfe, 2, 0x0b0c);
	assert_int_equal(pci_read(0x80000860), 0x0b0c0a80);
	pci_read(0x80000800);
	machine_port_write(&fixture.machine, 0xcfc, 4, 0);
	assert_int_equal(pci_read(0x80000800), 0x70008086);
	for (unsigned bar = 0x10; bar < 0x28; bar += 4) { /* sizing finds no BAR */
		pci_read(0x80000000 | bar);
		machine_port_write(&fixture.machine, 0xcfc, 4, UINT32_MAX);
		assert_int_equal(pci_read(0x80000000 | bar), 0);
	}
}

/* The packages of the DSDT nest and fill it: each PkgLength of the two-byte form ends within its
 * parent. Returns the number of devices. */
static unsigned aml_devices(const uint8_t *at, const uint8_t *end)
{
	unsigned devices = 0;

	while (at + 4 < end) {
		bool device = at[0] == 0x5b && at[1] == 0x82;
		bool scope = at[0] == 0x10 && at[3] == 0x5c;

		if (!device && !scope) {
			at++;
			continue;
		}
		const uint8_t *length = at + (device ? 2 : 1);
		assert_int_equal(length[0] >> 6, 1);
		const uint8_t *last = length + ((length[0] & 15) | length[1] << 4);
		assert_true(last <= end);
		devices += device + aml_devices(length + 2, last);
		at = last;
	}
	return devices;
}

static void dsdt(void **state)
{
	const uint8_t *fadt = find_table("FACP", 8), *table = ram(field(fadt, 40, 4));
	const uint8_t *end = table + field(table, 4, 4);
	static const uint8_t root[] = { 0x0c, 0x41, 0xd0, 0x0a, 0x03 }; /* EISAID("PNP0A03") */
	static const uint8_t com1[] = { 0x47, 1, 0xf8, 3, 0xf8, 3, 1, 8, 0x22, 0x10, 0, 0x79, 0 };

	assert_int_equal(aml_devices(table + 36, end), 11);
	assert_non_null(memmem(table, end - table, root, sizeof(root)));
	assert_non_null(memmem(table, end - table, com1, sizeof(com1)));
}

static void hpet_table(void **state)
{
	const uint8_t *table = find_table("HPET", 8);

	assert_int_equal(field(table, 36, 4), mmio_in(field(table, 44, 8)));
}

static void memory_map(void **state)
{
	struct e820_entry map[E820_MAX];
	unsigned count = firmware_memory_map(&fixture.machine, map);
	uint64_t ram_bytes = 0;

	for (unsigned i = 0; i < count; i++) {
		assert_true(i == 0 || map[i].base >= map[i - 1].base + map[i - 1].length);
		if (map[i].type == E820_RAM)
			ram_bytes += map[i].length;
	}
	assert_int_equal(ram_bytes, 0x9fc00 + (63 << 20));
	assert_int_equal(field(ram(0x40e), 0, 2) << 4, 0x9fc00);
}

#define FIRMWARE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIRMWARE_TEST(checksums),      FIRMWARE_TEST(power_off),
		FIRMWARE_TEST(sleep_state_that_is_not),
		FIRMWARE_TEST(reset_register), FIRMWARE_TEST(madt),
		FIRMWARE_TEST(pm_timer_rate),  FIRMWARE_TEST(pm_timer_overflow),
		FIRMWARE_TEST(keyboard_controller),
		FIRMWARE_TEST(reset_ports),    FIRMWARE_TEST(pci),
		FIRMWARE_TEST(pci_functions),  FIRMWARE_TEST(pci_write),
		FIRMWARE_TEST(dsdt),	       FIRMWARE_TEST(hpet_table),
		FIRMWARE_TEST(memory_map),
	};
	return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
