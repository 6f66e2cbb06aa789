/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A boot sector, as a PC's firmware starts one from a disk: the file at 0x7c00, real mode. The
 * whole file is there at once, and no BIOS answers interrupts.
 */
#include "l0/machine/command.h"
#include "l0/machine/load.h"
#include "l0/machine/machine.h"

#define SECTOR 512
#define SIGNATURE 510
#define ORIGIN UINT64_C(0x7c00)
/* A real-mode program's segments end at 1 MiB; what the firmware keeps is refused by the map. */
#define SIZE_MAX_BYTES UINT64_C(0x80000)

/* Whole sectors of which the first begins with code: a Linux kernel has the signature, too, behind
 * "MZ" or nothing, and what is left of a damaged one is not for real mode. */
bool sector_claims(const struct file *file)
{
	const uint8_t *data = file->data;

	return file->size >= SECTOR && file->size % SECTOR == 0 && data[SIGNATURE] == 0x55 &&
	       data[SIGNATURE + 1] == 0xaa && data[0] && !(data[0] == 'M' && data[1] == 'Z');
}

bool sector_load(struct load_map *map, const struct file *file, const struct load_request *request,
		 struct cpu_boot_state *state, struct load_error *error)
{
	if (file->size > SIZE_MAX_BYTES)
		return load_fail(error, STATUS_BAD_IMAGE,
				 "%s is a boot sector with more behind it than the %u KiB that real "
				 "mode can hold", file->path, (unsigned)(SIZE_MAX_BYTES >> 10));
	if (request->module_count || request->initrd)
		return load_fail(error, STATUS_USAGE,
				 "%s is a boot sector: it takes no modules and no initrd",
				 file->path);
	if (!load_map_take(map, ORIGIN, file->size, file->path, error))
		return false;
	*state = (struct cpu_boot_state){ .mode = BOOT_REAL, .rip = ORIGIN, .rsp = ORIGIN };
	return memory_write(&map->machine->memory, ORIGIN, file->data, file->size);
}
