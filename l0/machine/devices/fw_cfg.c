/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fw_cfg: by which firmware of emulated PCs, test images and Linux learn what machine it is. The
 * interface is the one of QEMU's "Firmware Configuration (fw_cfg) Device"; without DMA, and read
 * only.
 *
 *   0x510  16 bits, write: selects an item and goes to its start
 *   0x511   8 bits, read: the item's next byte; 0 beyond its end and for items that are not there
 *
 * Item 0x19 lists the files: their number, then 64 bytes each (big endian):
 *   0 size (32)   4 item (16)   6 reserved (16)   8 name
 */
#include <stdio.h>
#include <string.h>

#include "l0/machine/devices/platform.h"
#include "l0/machine/firmware.h"
#include "l0/machine/machine.h"

#define FW_CFG_PORT 0x510
#define FILE_ENTRY 64
#define FILE_NAME 8

enum fw_cfg_item {
	ITEM_SIGNATURE = 0x00,
	ITEM_ID = 0x01,
	ITEM_RAM_SIZE = 0x03,
	ITEM_NB_CPUS = 0x05,
	ITEM_MAX_CPUS = 0x0f,
	ITEM_FILE_DIRECTORY = 0x19,
	ITEM_FIRST_FILE = 0x20,
	ITEMS,
};

struct fw_cfg {
	struct region ports;
	uint16_t item;
	uint32_t position;
	struct {
		const uint8_t *data;
		uint32_t size;
	} items[ITEMS];
	uint64_t ram_size;
	struct e820_entry map[E820_MAX];
	uint8_t directory[4 + FILE_ENTRY];
};

/* Little endian, as the interface has its numbers. */
static const uint8_t signature[] = { 'Q', 'E', 'M', 'U' };
static const uint8_t interface_id[] = { 1, 0, 0, 0 }; /* bit 0: these ports; bit 1 would be DMA */
static const uint8_t one_cpu[] = { 1, 0 };

static void fw_cfg_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct fw_cfg *cfg = opaque;

	if (offset || size != 2)
		return;
	cfg->item = value;
	cfg->position = 0;
}

static uint64_t fw_cfg_read(void *opaque, uint64_t offset, unsigned size)
{
	struct fw_cfg *cfg = opaque;

	if (offset != 1 || size != 1)
		return UINT64_MAX;
	if (cfg->item >= ITEMS || cfg->position >= cfg->items[cfg->item].size)
		return 0;
	return cfg->items[cfg->item].data[cfg->position++];
}

static void item_set(struct fw_cfg *cfg, unsigned item, const void *data, uint32_t size)
{
	cfg->items[item].data = data;
	cfg->items[item].size = size;
}

static void put_big(uint8_t *to, unsigned bytes, uint32_t value)
{
	while (bytes--) {
		to[bytes] = value;
		value >>= 8;
	}
}

/* The one file there is: the memory map, as records of 20 bytes. */
static void file_add(struct fw_cfg *cfg, const char *name, const void *data, uint32_t size)
{
	uint8_t *entry = cfg->directory + 4;

	put_big(cfg->directory, 4, 1);
	put_big(entry, 4, size);
	put_big(entry + 4, 2, ITEM_FIRST_FILE);
	snprintf((char *)entry + FILE_NAME, FILE_ENTRY - FILE_NAME, "%s", name);
	item_set(cfg, ITEM_FIRST_FILE, data, size);
	item_set(cfg, ITEM_FILE_DIRECTORY, cfg->directory, sizeof(cfg->directory));
}

void fw_cfg_create(struct machine *machine)
{
	struct fw_cfg *cfg = machine_alloc(machine, sizeof(*cfg));
	unsigned entries = firmware_memory_map(machine, cfg->map);

	cfg->ram_size = machine->memory.low_size + machine->memory.high_size;
	item_set(cfg, ITEM_SIGNATURE, signature, sizeof(signature));
	item_set(cfg, ITEM_ID, interface_id, sizeof(interface_id));
	item_set(cfg, ITEM_RAM_SIZE, &cfg->ram_size, sizeof(cfg->ram_size));
	item_set(cfg, ITEM_NB_CPUS, one_cpu, sizeof(one_cpu));
	item_set(cfg, ITEM_MAX_CPUS, one_cpu, sizeof(one_cpu));
	file_add(cfg, "etc/e820", cfg->map, entries * sizeof(*cfg->map));
	cfg->ports = (struct region){ .base = FW_CFG_PORT, .length = 2, .max_size = 2,
				      .read = fw_cfg_read, .write = fw_cfg_write, .opaque = cfg };
	machine_add_ports(machine, &cfg->ports);
}
