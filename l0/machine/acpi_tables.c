/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ACPI tables from ACPI_BASE on: RSDP, RSDT, XSDT, FADT, FACS, DSDT, MADT, HPET. Layouts: ACPI
 * Specification 6.5 "ACPI System Description Tables"; what the machine has is in
 * devices/platform.h, ioapic.h and hpet.h, the DSDT's code comes from dsdt.c.
 */
#include <string.h>

#include "l0/machine/devices/hpet.h"
#include "l0/machine/devices/ioapic.h"
#include "l0/machine/devices/platform.h"
#include "l0/machine/dsdt.h"
#include "l0/machine/firmware.h"
#include "l0/machine/machine.h"

#define LAPIC_PAGE UINT32_C(0xfee00000)

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt, length;
	uint64_t xsdt;
	uint8_t extended_checksum, reserved[3];
} __attribute__((packed));

/* "Generic Address Structure" */
struct gas {
	uint8_t space, width, offset, access;
	uint64_t address;
} __attribute__((packed));
#define GAS_MEMORY(at) { 0, 64, 0, 0, at }
#define GAS_IO(port, bits) { 1, bits, 0, (bits) / 8 == 4 ? 3 : (bits) / 8, port }

struct fadt {
	struct acpi_header header;
	uint32_t firmware_ctrl, dsdt;
	uint8_t int_model, pm_profile;
	uint16_t sci_int;
	uint32_t smi_cmd;
	uint8_t acpi_enable, acpi_disable, s4bios_req, pstate_cnt;
	uint32_t pm1a_evt_blk, pm1b_evt_blk, pm1a_cnt_blk, pm1b_cnt_blk, pm2_cnt_blk, pm_tmr_blk;
	uint32_t gpe0_blk, gpe1_blk;
	uint8_t pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len, gpe0_len, gpe1_len, gpe1_base;
	uint8_t cst_cnt;
	uint16_t p_lvl2_lat, p_lvl3_lat, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t iapc_boot_arch;
	uint8_t reserved;
	uint32_t flags;
	struct gas reset_reg;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor;
	uint64_t x_firmware_ctrl, x_dsdt;
	struct gas x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt, x_pm2_cnt, x_pm_tmr;
	struct gas x_gpe0, x_gpe1;
} __attribute__((packed));
_Static_assert(sizeof(struct fadt) == 244, "FADT of ACPI 2.0 to 4.0, revision 3");

#define BOOT_ARCH (1 /* legacy devices */ | 2 /* 8042 */ | 4 /* no VGA */)
#define FADT_FLAGS                                                                                 \
	(1 /* WBINVD */ | 4 /* C1 */ | 0x10 /* no power button */ | 0x20 /* no sleep button */ |   \
	 0x400 /* reset register */)

struct facs {
	char signature[4];
	uint32_t length, hardware_signature, waking_vector, global_lock, flags;
	uint64_t x_waking_vector;
	uint8_t version, reserved[31];
} __attribute__((packed));
_Static_assert(sizeof(struct facs) == 64, "ACPI \"Firmware ACPI Control Structure\"");

/* "Multiple APIC Description Table", with the entries of this machine. */
struct madt {
	struct acpi_header header;
	uint32_t lapic_address, flags;
	struct {
		uint8_t type, length, processor_id, apic_id;
		uint32_t flags;
	} __attribute__((packed)) lapic;
	struct {
		uint8_t type, length, id, reserved;
		uint32_t address, gsi_base;
	} __attribute__((packed)) ioapic;
	struct {
		uint8_t type, length, bus, source;
		uint32_t gsi;
		uint16_t flags;
	} __attribute__((packed)) override[2];
	struct {
		uint8_t type, length, processor_id;
		uint16_t flags;
		uint8_t lint;
	} __attribute__((packed)) nmi;
} __attribute__((packed));

#define PCAT_COMPAT 1
#define LEVEL_ACTIVE_HIGH 0x000d

struct dsdt {
	struct acpi_header header;
	uint8_t aml[DSDT_MAX];
} __attribute__((packed));

/* IA-PC HPET 1.0a "ACPI 2.0 HPET Description Table". */
struct hpet_table {
	struct acpi_header header;
	uint32_t event_timer_block_id;
	struct gas base;
	uint8_t number;
	uint16_t minimum_tick;
	uint8_t page_protection;
} __attribute__((packed));
_Static_assert(sizeof(struct hpet_table) == 56, "HPET description table");
#define HPET_MINIMUM_TICK 128

#define TABLES 3 /* that the RSDT and the XSDT list */

/* All of them, each on a multiple of 64 as the FACS wants it. */
struct tables {
	struct rsdp rsdp __attribute__((aligned(64)));
	struct facs facs __attribute__((aligned(64)));
	struct dsdt dsdt __attribute__((aligned(64)));
	struct fadt fadt __attribute__((aligned(64)));
	struct madt madt __attribute__((aligned(64)));
	struct hpet_table hpet __attribute__((aligned(64)));
	struct {
		struct acpi_header header;
		uint32_t tables[TABLES];
	} __attribute__((packed)) rsdt __attribute__((aligned(64)));
	struct {
		struct acpi_header header;
		uint64_t tables[TABLES];
	} __attribute__((packed)) xsdt __attribute__((aligned(64)));
};
#define ADDRESS(table) ((uint32_t)(ACPI_BASE + offsetof(struct tables, table)))

static uint8_t negative_sum(const void *data, size_t length)
{
	const uint8_t *bytes = data;
	uint8_t sum = 0;

	for (size_t i = 0; i < length; i++)
		sum -= bytes[i];
	return sum;
}

static void finish(void *table, const char *signature, uint8_t revision, uint32_t length)
{
	struct acpi_header *header = table;

	memcpy(header->signature, signature, 4);
	header->length = length;
	header->revision = revision;
	memcpy(header->oem_id, "ABYME ", 6);
	memcpy(header->oem_table_id, "MACHINE ", 8);
	header->oem_revision = 1;
	memcpy(header->creator_id, "ABYM", 4);
	header->creator_revision = 1;
	header->checksum = 0;
	header->checksum = negative_sum(table, length);
}

static void fadt_build(struct fadt *fadt)
{
	*fadt = (struct fadt){
		.firmware_ctrl = ADDRESS(facs), .dsdt = ADDRESS(dsdt), .sci_int = SCI_IRQ,
		.pm1a_evt_blk = PM1A_EVENT_PORT, .pm1a_cnt_blk = PM1A_CONTROL_PORT,
		.pm_tmr_blk = PM_TIMER_PORT, .pm1_evt_len = 4, .pm1_cnt_len = 2, .pm_tmr_len = 4,
		.p_lvl2_lat = 0xfff, .p_lvl3_lat = 0xfff, /* no C2, no C3 */
		.century = 0x32, .iapc_boot_arch = BOOT_ARCH, .flags = FADT_FLAGS,
		.reset_reg = GAS_IO(RESET_PORT, 8), .reset_value = RESET_VALUE,
		.x_firmware_ctrl = ADDRESS(facs), .x_dsdt = ADDRESS(dsdt),
		.x_pm1a_evt = GAS_IO(PM1A_EVENT_PORT, 32),
		.x_pm1a_cnt = GAS_IO(PM1A_CONTROL_PORT, 16),
		.x_pm_tmr = GAS_IO(PM_TIMER_PORT, 32),
	};
	finish(fadt, "FACP", 3, sizeof(*fadt));
}

static void madt_build(struct madt *madt)
{
	*madt = (struct madt){
		.lapic_address = LAPIC_PAGE, .flags = PCAT_COMPAT,
		.lapic = { 0, sizeof(madt->lapic), 0, 0, 1 /* enabled */ },
		.ioapic = { 1, sizeof(madt->ioapic), 0, 0, IOAPIC_BASE, 0 },
		.override = { { 2, sizeof(madt->override[0]), 0, 0, 2, 0 /* IRQ 0 is on pin 2 */ },
			      { 2, sizeof(madt->override[0]), 0, SCI_IRQ, SCI_IRQ,
				LEVEL_ACTIVE_HIGH } },
		.nmi = { 4, sizeof(madt->nmi), 0xff /* every processor */, 0, 1 },
	};
	finish(madt, "APIC", 1, sizeof(*madt));
}

static void hpet_build(struct hpet_table *hpet)
{
	*hpet = (struct hpet_table){ .event_timer_block_id = HPET_CAPABILITIES,
				     .base = GAS_MEMORY(HPET_BASE),
				     .minimum_tick = HPET_MINIMUM_TICK };
	finish(hpet, "HPET", 1, sizeof(*hpet));
}

static void rsdp_build(struct rsdp *rsdp)
{
	*rsdp = (struct rsdp){ .revision = 2, .rsdt = ADDRESS(rsdt), .length = sizeof(*rsdp),
			       .xsdt = ADDRESS(xsdt) };
	memcpy(rsdp->signature, "RSD PTR ", 8);
	memcpy(rsdp->oem_id, "ABYME ", 6);
	rsdp->checksum = negative_sum(rsdp, 20); /* the ACPI 1.0 part */
	rsdp->extended_checksum = negative_sum(rsdp, sizeof(*rsdp));
}

bool acpi_tables_build(struct machine *machine)
{
	static const uint32_t addresses[TABLES] = { ADDRESS(fadt), ADDRESS(madt), ADDRESS(hpet) };
	struct tables tables = { 0 };

	memcpy(tables.facs.signature, "FACS", 4);
	tables.facs.length = sizeof(tables.facs);
	tables.facs.version = 1;
	finish(&tables.dsdt, "DSDT", 2, sizeof(tables.dsdt.header) + dsdt_build(tables.dsdt.aml));
	fadt_build(&tables.fadt);
	madt_build(&tables.madt);
	hpet_build(&tables.hpet);
	for (unsigned n = 0; n < TABLES; n++)
		tables.rsdt.tables[n] = tables.xsdt.tables[n] = addresses[n];
	finish(&tables.rsdt, "RSDT", 1, sizeof(tables.rsdt));
	finish(&tables.xsdt, "XSDT", 1, sizeof(tables.xsdt));
	rsdp_build(&tables.rsdp);
	return memory_write(&machine->memory, ACPI_BASE, &tables, sizeof(tables));
}
