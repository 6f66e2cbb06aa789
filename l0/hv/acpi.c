/* SPDX-License-Identifier: BSD-2-Clause
 *
 * RSDP -> RSDT -> FADT -> PM1a control and the DSDT's _S5_ package. Source: ACPI 6.5 "Root System
 * Description Pointer", "Fixed ACPI Description Table", "Sleeping States". The tables are read
 * while memory is as the firmware left it, that is before the guest runs.
 */
#include "l0/hv/acpi.h"

#include "l0/hv/hv.h"
#include "l0/hv/hw.h"

#define BIOS_AREA UINT64_C(0xe0000)
#define BIOS_AREA_END UINT64_C(0x100000)
#define EBDA_SEGMENT UINT64_C(0x40e)
#define EBDA_SEARCH 1024
#define FADT_DSDT 40
#define FADT_PM1A_CONTROL 64
#define TABLE_HEADER 36
#define SLEEP_ENABLE BIT32(13)
#define SLEEP_TYPE_SHIFT 10
#define AML_PACKAGE 0x12
#define AML_BYTE_PREFIX 0x0a

static struct {
	bool looked;
	uint16_t pm1a_control;
	uint8_t s5_type;
} acpi;

static uint32_t read32(uint64_t address)
{
	uint32_t value;

	memcpy(&value, memory_pointer(address), sizeof(value));
	return value;
}

static bool has_signature(uint64_t address, const char *signature, unsigned length)
{
	return !memcmp(memory_pointer(address), signature, length);
}

static uint64_t find_rsdp_in(uint64_t from, uint64_t to)
{
	for (; from < to; from += 16)
		if (has_signature(from, "RSD PTR ", 8))
			return from;
	return 0;
}

static uint64_t find_rsdp(void)
{
	uint64_t ebda = (uint64_t)(read32(EBDA_SEGMENT) & 0xffff) << 4;
	uint64_t rsdp = find_rsdp_in(BIOS_AREA, BIOS_AREA_END);

	if (!rsdp && ebda)
		rsdp = find_rsdp_in(ebda, ebda + EBDA_SEARCH);
	return rsdp;
}

static uint64_t find_fadt(uint64_t rsdt)
{
	uint32_t length = read32(rsdt + 4);

	for (uint32_t at = TABLE_HEADER; at + 4 <= length; at += 4) {
		uint64_t table = read32(rsdt + at);

		if (has_signature(table, "FACP", 4))
			return table;
	}
	return 0;
}

/* Name(_S5_, Package() {type, ...}): the package's first byte constant. */
static uint8_t find_s5_type(uint64_t dsdt)
{
	const uint8_t *aml = memory_pointer(dsdt);
	uint32_t length = read32(dsdt + 4);

	for (uint32_t at = TABLE_HEADER; at + 16 < length; at++) {
		const uint8_t *name = aml + at;

		if (memcmp(name, "_S5_", 4) || name[4] != AML_PACKAGE)
			continue;
		/* PkgLength and its further bytes, NumElements */
		name += 5 + 1 + (name[5] >> 6) + 1;
		return name[0] == AML_BYTE_PREFIX ? name[1] : name[0];
	}
	return 0;
}

uint16_t acpi_pm1a_control(void)
{
	uint64_t rsdp, fadt;

	if (acpi.looked)
		return acpi.pm1a_control;
	acpi.looked = true;
	rsdp = find_rsdp();
	fadt = rsdp ? find_fadt(read32(rsdp + 16)) : 0;
	if (!fadt)
		return 0;
	acpi.pm1a_control = (uint16_t)read32(fadt + FADT_PM1A_CONTROL);
	acpi.s5_type = find_s5_type(read32(fadt + FADT_DSDT));
	return acpi.pm1a_control;
}

void acpi_power_off(void)
{
	uint16_t port = acpi_pm1a_control();

	if (port)
		hw_out16(port, (uint16_t)(SLEEP_ENABLE |
					  (acpi.s5_type & 7u) << SLEEP_TYPE_SHIFT));
}
