/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Power-off by ACPI: RSDP -> RSDT -> FADT gives the PM1 control port, the DSDT's _S5_ package the
 * value. The DSDT is scanned for the name instead of being interpreted: _S5_ is a constant.
 * Source: ACPI 6.5 "Root System Description Pointer", "Fixed ACPI Description Table", "\_Sx".
 */
#include "l1/lib/acpi.h"

#include <stddef.h>
#include <stdint.h>

#include "l1/lib/cpu.h"
#include "l1/lib/string.h"

#define PM1_SLEEP_ENABLE 0x2000
#define PM1_SCI_ENABLE 0x0001
#define PM1_SLEEP_TYPE_SHIFT 10
#define AML_BYTE_PREFIX 0x0a
#define AML_PACKAGE_OP 0x12
#define S5_SIZE 9 /* at least: name, operator, length, count, two elements */

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
} __attribute__((packed));

struct table {
	char signature[4];
	uint32_t length;
	uint8_t rest[28];
} __attribute__((packed));

struct fadt {
	struct table header;
	uint32_t facs, dsdt;
	uint8_t reserved[4];
	uint32_t smi_command;
	uint8_t acpi_enable, acpi_disable, rest[2];
	uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control;
} __attribute__((packed));
_Static_assert(offsetof(struct fadt, pm1a_control) == 64, "ACPI 6.5 \"FADT Format\"");

static const struct rsdp *find_rsdp_in(uint64_t start, uint64_t end)
{
	for (uint64_t at = start; at + sizeof(struct rsdp) <= end; at += 16) {
		const uint8_t *bytes = (const uint8_t *)at;
		uint8_t sum = 0;

		if (memcmp(bytes, "RSD PTR ", 8))
			continue;
		for (unsigned i = 0; i < sizeof(struct rsdp); i++)
			sum = (uint8_t)(sum + bytes[i]);
		if (!sum)
			return (const struct rsdp *)at;
	}
	return NULL;
}

static const struct rsdp *find_rsdp(void)
{
	/* The BIOS data area's word at 0x40e is the segment of the extended BIOS data area. */
	uint64_t segment_at = 0x40e;
	uint64_t ebda;
	const struct rsdp *found = find_rsdp_in(0xe0000, 0x100000);

	if (found)
		return found;
	__asm__("" : "+r"(segment_at)); /* else the compiler calls it a null dereference */
	ebda = (uint64_t)*(const uint16_t *)segment_at << 4;
	return ebda ? find_rsdp_in(ebda, ebda + 1024) : NULL;
}

static const struct fadt *find_fadt(const struct rsdp *rsdp)
{
	const struct table *rsdt = (const struct table *)(uint64_t)rsdp->rsdt;
	uint32_t count = (rsdt->length - sizeof(*rsdt)) / 4;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t address;

		memcpy(&address, (const uint8_t *)(rsdt + 1) + i * 4, sizeof(address));
		if (!memcmp((const void *)(uint64_t)address, "FACP", 4))
			return (const struct fadt *)(uint64_t)address;
	}
	return NULL;
}

/* Name (_S5_, Package () { a, b ... }): sleep types for PM1a and PM1b. */
static bool find_s5(const struct table *dsdt, uint8_t types[2])
{
	const uint8_t *at = (const uint8_t *)(dsdt + 1);
	const uint8_t *end = (const uint8_t *)dsdt + dsdt->length - S5_SIZE;

	for (; at < end; at++) {
		const uint8_t *value = at + 5;

		if (memcmp(at, "_S5_", 4) || at[4] != AML_PACKAGE_OP)
			continue;
		value += 1 + (*value >> 6); /* PkgLength: bits 7:6 count the bytes that follow */
		value++;                    /* NumElements */
		for (unsigned i = 0; i < 2; i++) {
			if (*value == AML_BYTE_PREFIX)
				value++;
			types[i] = *value++;
		}
		return true;
	}
	return false;
}

static void sleep_port(uint32_t port, uint8_t type)
{
	if (port)
		outw((uint16_t)port, (uint16_t)((type & 7) << PM1_SLEEP_TYPE_SHIFT |
						PM1_SLEEP_ENABLE | (inw((uint16_t)port) & 3)));
}

static void sleep(const struct fadt *fadt, const uint8_t types[2])
{
	sleep_port(fadt->pm1a_control, types[0]);
	sleep_port(fadt->pm1b_control, types[1]);
}

void acpi_power_off(void)
{
	const struct rsdp *rsdp = find_rsdp();
	const struct fadt *fadt = rsdp ? find_fadt(rsdp) : NULL;
	uint8_t types[2];

	if (!fadt || !find_s5((const struct table *)(uint64_t)fadt->dsdt, types))
		return;
	/* First without switching to ACPI mode: Bochs names an SMI command but handles no SMI. */
	sleep(fadt, types);
	if (fadt->smi_command && !(inw((uint16_t)fadt->pm1a_control) & PM1_SCI_ENABLE)) {
		outb((uint16_t)fadt->smi_command, fadt->acpi_enable);
		sleep(fadt, types);
	}
}
