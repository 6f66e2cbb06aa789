/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the loaders share: files, the map of taken guest memory, and which loader an image wants.
 */
#include "l0/machine/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "l0/machine/command.h"
#include "l0/machine/firmware.h"
#include "l0/machine/machine.h"

#define PAGE UINT64_C(4096)

bool load_fail(struct load_error *error, int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	error->status = status;
	return false;
}

bool file_open(struct file *file, const char *path, struct load_error *error)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*file = (struct file){ .path = path };
	if (fd < 0 || fstat(fd, &status) < 0 || (S_ISDIR(status.st_mode) && (errno = EISDIR))) {
		load_fail(error, STATUS_NO_FILE, "cannot read %s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	if (status.st_size) {
		void *data = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (data != MAP_FAILED) {
			file->data = data;
			file->size = status.st_size;
		}
	}
	close(fd);
	if (!file->data)
		return load_fail(error, STATUS_NO_FILE, "%s is empty or cannot be mapped", path);
	return true;
}

void file_close(struct file *file)
{
	if (file->data)
		munmap((void *)file->data, file->size);
	file->data = NULL;
}

static bool load_map_add(struct load_map *map, struct load_range range)
{
	if (map->count == map->room) {
		unsigned room = map->room ? 2 * map->room : 16;
		struct load_range *ranges = reallocarray(map->ranges, room, sizeof(*ranges));

		if (!ranges)
			return false;
		map->ranges = ranges;
		map->room = room;
	}
	map->ranges[map->count++] = range;
	return true;
}

bool load_map_init(struct load_map *map, struct machine *machine)
{
	*map = (struct load_map){ .machine = machine };
	return load_map_add(map, (struct load_range){ 0, BDA_END, "the BIOS data area" }) &&
	       load_map_add(map, (struct load_range){ EBDA_BASE, FIRMWARE_END, "firmware" });
}

void load_map_free(struct load_map *map)
{
	free(map->ranges);
}

static const struct load_range *load_map_overlap(const struct load_map *map, uint64_t start,
						 uint64_t size)
{
	for (unsigned i = 0; i < map->count; i++)
		if (start < map->ranges[i].end && start + size > map->ranges[i].start)
			return &map->ranges[i];
	return NULL;
}

bool load_map_take(struct load_map *map, uint64_t start, uint64_t size, const char *what,
		   struct load_error *error)
{
	uint64_t ram = map->machine->memory.low_size;

	if (start > ram || size > ram - start)
		return load_fail(error, STATUS_BAD_IMAGE,
				 "%s at 0x%llx, 0x%llx bytes, does not fit into 0x%llx bytes of "
				 "RAM; give more with --mem",
				 what, (unsigned long long)start, (unsigned long long)size,
				 (unsigned long long)ram);
	const struct load_range *other = size ? load_map_overlap(map, start, size) : NULL;
	if (other)
		return load_fail(error, STATUS_BAD_IMAGE, "%s at 0x%llx overlaps %s at 0x%llx",
				 what, (unsigned long long)start, other->what,
				 (unsigned long long)other->start);
	return load_map_add(map, (struct load_range){ start, start + size, what }) ||
	       load_fail(error, STATUS_ERROR, "out of memory");
}

uint64_t load_map_find(const struct load_map *map, uint64_t from, uint64_t size)
{
	uint64_t start = (from + PAGE - 1) & ~(PAGE - 1);
	uint64_t ram = map->machine->memory.low_size;
	const struct load_range *other;

	while ((other = load_map_overlap(map, start, size ? size : 1)))
		start = (other->end + PAGE - 1) & ~(PAGE - 1);
	return start <= ram && size <= ram - start ? start : 0;
}

bool load_boot(struct machine *machine, const struct load_request *request,
	       struct cpu_boot_state *state, struct load_error *error)
{
	struct load_map map;
	struct file file;
	bool loaded;

	if (!file_open(&file, request->image.path, error))
		return false;
	memset(state, 0, sizeof(*state));
	if (!load_map_init(&map, machine))
		loaded = load_fail(error, STATUS_ERROR, "out of memory");
	else if (linux_claims(&file))
		loaded = linux_load(&map, &file, request, state, error);
	else if (request->initrd)
		loaded = load_fail(error, STATUS_USAGE,
				   "--initrd is for Linux, which %s is not; use --module", file.path);
	else if (multiboot_claims(&file))
		loaded = multiboot_load(&map, &file, request, state, error);
	else if (sector_claims(&file))
		loaded = sector_load(&map, &file, request, state, error);
	else
		loaded = load_fail(error, STATUS_BAD_IMAGE,
				   "%s is neither a multiboot 1 image (no header in its first "
				   "8 KiB) nor a Linux bzImage nor a boot sector",
				   file.path);
	load_map_free(&map);
	file_close(&file);
	return loaded;
}
