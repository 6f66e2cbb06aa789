/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Places the guest image and its modules in its memory. Modules stay where they are unless the
 * image will lie there: moving megabytes at every level would cost more than booting.
 */
#include "l0/hv/loader.h"

#include "l0/hv/hv.h"
#include "l0/hv/multiboot.h"

#define MODULE_FROM UINT64_C(0x100000)
#define FOUR_GIB (UINT64_C(1) << 32)

/* All of [base, base + size) must be the guest's RAM. */
static void require_ram(uint64_t base, uint64_t size)
{
	uint64_t at = base, end;

	while (at < base + size) {
		if (memory_type_at(at, &end) != MULTIBOOT_MEMORY_RAM)
			hv_refuse("the guest image wants memory at %lx, where there is no RAM", at);
		at = end;
	}
	if (base < memory_map.region.end && memory_map.region.base < base + size)
		hv_refuse("the guest image does not fit below %lx", memory_map.region.base);
}

static bool overlaps(const struct image *image, uint64_t base, uint64_t end)
{
	for (unsigned i = 0; i < image->segment_count; i++) {
		const struct image_segment *s = &image->segments[i];

		if (s->address < end && base < s->address + s->memory_size)
			return true;
	}
	return false;
}

static void move_module(struct loader_module *module)
{
	uint64_t size = module->end - module->start;
	uint64_t to = memory_find_high(size, PAGE_SIZE, MODULE_FROM, FOUR_GIB);

	if (!to)
		hv_refuse("no room for a module of %lu KiB: the machine needs more RAM",
			  size >> 10);
	memory_use(to, size);
	memcpy(memory_pointer(to), memory_pointer(module->start), size);
	module->start = to;
	module->end = to + size;
}

static void load_segments(const struct image *image, const uint8_t *file)
{
	for (unsigned i = 0; i < image->segment_count; i++) {
		const struct image_segment *s = &image->segments[i];
		uint8_t *to = memory_pointer(s->address);

		memcpy(to, file + s->file, s->file_size);
		memset(to + s->file_size, 0, s->memory_size - s->file_size);
	}
}

static void multiboot_load(struct loader_entry *entry, const struct image *image)
{
	for (unsigned i = 0; i < image->segment_count; i++) {
		require_ram(image->segments[i].address, image->segments[i].memory_size);
		memory_use(image->segments[i].address, image->segments[i].memory_size);
	}
	for (unsigned i = 0; i < loader_boot.module_count; i++) {
		struct loader_module *module = &loader_boot.modules[i];

		if (overlaps(image, module->start, module->end))
			move_module(module);
	}
	/* Copies the strings, which the image may be about to overwrite. */
	*entry = (struct loader_entry){.mode = LOADER_PROTECTED32,
				       .rip = image->entry,
				       .rax = MULTIBOOT_BOOT_MAGIC,
				       .rbx = multiboot_write()};
	load_segments(image, memory_pointer(loader_boot.modules[0].start));
}

void loader_load(struct loader_entry *entry)
{
	const struct loader_module *guest = &loader_boot.modules[0];
	struct image image;

	if (!loader_boot.module_count)
		hv_refuse("no guest: the first boot module is what runs");
	if (linux_recognize(memory_pointer(guest->start), memory_pointer(guest->end)))
		linux_load(entry);
	else if (image_parse(&image, memory_pointer(guest->start), memory_pointer(guest->end)))
		multiboot_load(entry, &image);
	else
		hv_refuse("the guest module is neither a multiboot image nor a Linux kernel");
}
