/* SPDX-License-Identifier: BSD-2-Clause
 *
 * AML by hand: ACPI Specification 6.5 "ACPI Machine Language (AML) Specification" for the encoding,
 * "Resource Data Types for ACPI" for what devices occupy. No methods: names and constants only.
 */
#include "l0/machine/dsdt.h"

#include <assert.h>
#include <string.h>

#include "l0/machine/devices/hpet.h"
#include "l0/machine/devices/platform.h"
#include "l0/machine/machine.h"

#define OP_NAME 0x08
#define OP_BYTE 0x0a
#define OP_WORD 0x0b
#define OP_DWORD 0x0c
#define OP_SCOPE 0x10
#define OP_BUFFER 0x11
#define OP_PACKAGE 0x12
#define OP_EXTENDED 0x5b
#define OP_DEVICE 0x82 /* after OP_EXTENDED */

#define IO_PORT 0x47
#define IRQ_NO_FLAGS 0x22
#define MEMORY_32_FIXED 0x86
#define ADDRESS_32 0x87
#define ADDRESS_16 0x88
#define END_TAG 0x79
#define ADDRESS_MEMORY 0
#define ADDRESS_IO 1
#define ADDRESS_BUS 2
#define ADDRESS_FIXED 0x0c
#define ENTIRE_RANGE 3 /* of I/O */
#define READ_WRITE 1   /* of memory */
#define IOAPIC_WINDOW_END UINT32_C(0xfec00000)

struct aml {
	uint8_t *bytes;
	size_t used;
};

/* What sits on the ISA bus. Port ranges: length 0 ends. */
static const struct isa_device {
	char name[5], hid[8];
	uint8_t uid;
	struct {
		uint16_t base;
		uint8_t length;
	} ports[3];
	uint16_t irqs; /* mask */
} isa_devices[] = {
	{ "PIC_", "PNP0000", 0, { { 0x20, 2 }, { 0xa0, 2 }, { 0x4d0, 2 } }, 1 << 2 },
	{ "TIMR", "PNP0100", 0, { { 0x40, 4 } }, 1 << 0 },
	{ "SPKR", "PNP0800", 0, { { 0x61, 1 } }, 0 },
	{ "RTC_", "PNP0B00", 0, { { 0x70, 2 } }, 1 << 8 },
	{ "KBD_", "PNP0303", 0, { { 0x60, 1 }, { 0x64, 1 } }, 1 << 1 },
	{ "MOU_", "PNP0F13", 0, { { 0 } }, 1 << 12 },
	{ "COM1", "PNP0501", 1, { { 0x3f8, 8 } }, 1 << 4 },
	{ "COM2", "PNP0501", 2, { { 0x2f8, 8 } }, 1 << 3 },
};

static void put(struct aml *aml, uint64_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++) {
		assert(aml->used < DSDT_MAX);
		aml->bytes[aml->used++] = value >> 8 * i;
	}
}

static void put_text(struct aml *aml, const char *text)
{
	while (*text)
		put(aml, *text++, 1);
}

/* PkgLength, always in its two-byte form: bits 3:0 and a count of one, bits 11:4. */
static size_t package_open(struct aml *aml)
{
	put(aml, 0, 2);
	return aml->used - 2;
}

static void package_close(struct aml *aml, size_t at)
{
	size_t length = aml->used - at;

	aml->bytes[at] = 0x40 | (length & 15);
	aml->bytes[at + 1] = length >> 4;
}

static void put_name(struct aml *aml, const char *name)
{
	put(aml, OP_NAME, 1);
	put_text(aml, name);
}

static void put_dword(struct aml *aml, uint32_t value)
{
	put(aml, OP_DWORD, 1);
	put(aml, value, 4);
}

static void put_byte(struct aml *aml, uint8_t value)
{
	put(aml, OP_BYTE, 1);
	put(aml, value, 1);
}

static unsigned hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'A' + 10;
}

/* "EISAID": three letters of five bits, four hexadecimal digits, most significant byte first. */
static void put_hid(struct aml *aml, const char *hid)
{
	unsigned letters = (hid[0] & 31) << 10 | (hid[1] & 31) << 5 | (hid[2] & 31);

	put_name(aml, "_HID");
	put(aml, OP_DWORD, 1);
	put(aml, letters >> 8, 1);
	put(aml, letters, 1);
	put(aml, hex_digit(hid[3]) << 4 | hex_digit(hid[4]), 1);
	put(aml, hex_digit(hid[5]) << 4 | hex_digit(hid[6]), 1);
}

static size_t device_open(struct aml *aml, const char *name)
{
	put(aml, OP_EXTENDED, 1);
	put(aml, OP_DEVICE, 1);
	size_t at = package_open(aml);
	put_text(aml, name);
	return at;
}

struct resources {
	size_t package, size; /* where lengths belong */
};

static struct resources resources_open(struct aml *aml)
{
	struct resources r;

	put_name(aml, "_CRS");
	put(aml, OP_BUFFER, 1);
	r.package = package_open(aml);
	put(aml, OP_WORD, 1);
	r.size = aml->used;
	put(aml, 0, 2);
	return r;
}

static void resources_close(struct aml *aml, struct resources r)
{
	put(aml, END_TAG, 1);
	put(aml, 0, 1); /* checksum: none */
	size_t length = aml->used - r.size - 2;
	aml->bytes[r.size] = length;
	aml->bytes[r.size + 1] = length >> 8;
	package_close(aml, r.package);
}

static void put_ports(struct aml *aml, uint16_t base, uint8_t length)
{
	put(aml, IO_PORT, 1);
	put(aml, 1, 1); /* 16-bit decoding */
	put(aml, base, 2);
	put(aml, base, 2);
	put(aml, 1, 1);
	put(aml, length, 1);
}

/* An address space descriptor with fields of `size` bytes: granularity, first, last, translation,
 * length. */
static void put_range(struct aml *aml, unsigned size, uint8_t type, uint8_t flags, uint64_t first,
		      uint64_t last)
{
	put(aml, size == 2 ? ADDRESS_16 : ADDRESS_32, 1);
	put(aml, 3 + 5 * size, 2);
	put(aml, type, 1);
	put(aml, ADDRESS_FIXED, 1);
	put(aml, flags, 1);
	put(aml, 0, size);
	put(aml, first, size);
	put(aml, last, size);
	put(aml, 0, size);
	put(aml, last - first + 1, size);
}

static void isa_device(struct aml *aml, const struct isa_device *device)
{
	size_t at = device_open(aml, device->name);

	put_hid(aml, device->hid);
	put_name(aml, "_UID");
	put_byte(aml, device->uid);
	struct resources r = resources_open(aml);
	for (unsigned i = 0; i < 3 && device->ports[i].length; i++)
		put_ports(aml, device->ports[i].base, device->ports[i].length);
	if (device->irqs) {
		put(aml, IRQ_NO_FLAGS, 1);
		put(aml, device->irqs, 2);
	}
	resources_close(aml, r);
	package_close(aml, at);
}

/* \_SB.PCI0._CRS: what the host bridge passes on; the configuration ports are its own. */
static void bridge_windows(struct aml *aml)
{
	struct resources r = resources_open(aml);

	put_range(aml, 2, ADDRESS_BUS, 0, 0, 0xff);
	put_ports(aml, 0xcf8, 8);
	put_range(aml, 2, ADDRESS_IO, ENTIRE_RANGE, 0, 0xcf7);
	put_range(aml, 2, ADDRESS_IO, ENTIRE_RANGE, 0xd00, 0xffff);
	put_range(aml, 4, ADDRESS_MEMORY, READ_WRITE, PCI_HOLE_START, IOAPIC_WINDOW_END - 1);
	resources_close(aml, r);
}

/* _PRT: pin A of device 1, which is its power-management function's, is the SCI. */
static void interrupt_routing(struct aml *aml)
{
	put_name(aml, "_PRT");
	put(aml, OP_PACKAGE, 1);
	size_t table = package_open(aml);
	put(aml, 1, 1);
	put(aml, OP_PACKAGE, 1);
	size_t row = package_open(aml);
	put(aml, 4, 1);
	put_dword(aml, 0x0001ffff);
	put_byte(aml, 0);
	put_byte(aml, 0);
	put_byte(aml, SCI_IRQ);
	package_close(aml, row);
	package_close(aml, table);
}

static void isa_bridge(struct aml *aml)
{
	size_t at = device_open(aml, "ISA_");

	put_name(aml, "_ADR");
	put_dword(aml, 0x00010000);
	for (unsigned i = 0; i < sizeof(isa_devices) / sizeof(isa_devices[0]); i++)
		isa_device(aml, &isa_devices[i]);
	package_close(aml, at);
}

static void host_bridge(struct aml *aml)
{
	size_t at = device_open(aml, "PCI0");

	put_hid(aml, "PNP0A03");
	put_name(aml, "_ADR");
	put_byte(aml, 0);
	put_name(aml, "_UID");
	put_byte(aml, 0);
	bridge_windows(aml);
	interrupt_routing(aml);
	isa_bridge(aml);
	package_close(aml, at);
}

static void hpet_device(struct aml *aml)
{
	size_t at = device_open(aml, "HPET");

	put_hid(aml, "PNP0103");
	struct resources r = resources_open(aml);
	put(aml, MEMORY_32_FIXED, 1);
	put(aml, 9, 2);
	put(aml, 0, 1); /* read only */
	put(aml, HPET_BASE, 4);
	put(aml, HPET_LENGTH, 4);
	resources_close(aml, r);
	package_close(aml, at);
}

size_t dsdt_build(uint8_t bytes[DSDT_MAX])
{
	/* Name (\_S5, Package (4) { SLP_TYPa, SLP_TYPb, 0, 0 }) */
	static const uint8_t s5[] = { OP_NAME, '_', 'S', '5', '_', OP_PACKAGE, 0x08, 0x04, OP_BYTE,
				      SLP_TYP_S5, OP_BYTE, SLP_TYP_S5, 0x00, 0x00 };
	struct aml aml = { .bytes = bytes };

	memcpy(bytes, s5, sizeof(s5));
	aml.used = sizeof(s5);
	put(&aml, OP_SCOPE, 1);
	size_t at = package_open(&aml);
	put_text(&aml, "\\_SB_");
	host_bridge(&aml);
	hpet_device(&aml);
	package_close(&aml, at);
	return aml.used;
}
