/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Loading the guest as a boot loader would: the first module is its image, the others are its
 * modules, the memory map leaves tiny out. All that is handed over lies in one block at the top of
 * RAM, into which the modules are copied first, so that the guest's image may go where they were.
 */
#include "l1/tiny/tiny.h"

#include <stddef.h>

#include "l1/lib/guest_image.h"
#include "l1/lib/multiboot.h"
#include "l1/lib/runtime.h"
#include "l1/lib/string.h"

#define MAP_ENTRIES 64
#define COMMAND_LINE 1024
#define MODULES_AT_MOST 32

/* The block; the modules' contents follow, each on a page of its own. */
struct handover {
	struct multiboot_info info;
	struct multiboot_module modules[MODULES_AT_MOST];
	struct multiboot_memory map[MAP_ENTRIES];
	char lines[MODULES_AT_MOST][COMMAND_LINE];
};

static uint64_t page_up(uint64_t value)
{
	return (value + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

static struct handover *allocate(unsigned count)
{
	uint64_t size = page_up(sizeof(struct handover)), at;

	for (unsigned i = 0; i < count; i++)
		size += page_up(multiboot_module(i)->end - multiboot_module(i)->start);
	at = multiboot_find_ram(size, PAGE_SIZE);
	if (!at)
		runtime_panic(STATUS_NO_MEMORY, "tiny: no %lu KiB of RAM for the modules",
			      size / 1024);
	memset((void *)at, 0, sizeof(struct handover));
	return (struct handover *)at;
}

static uint32_t copy_line(char *to, uint64_t from)
{
	const char *text = from ? (const char *)from : "";
	size_t length = strlen(text);

	memcpy(to, text, length < COMMAND_LINE ? length : COMMAND_LINE - 1);
	return (uint32_t)(uint64_t)to;
}

static void copy_modules(struct handover *handover, unsigned count)
{
	uint64_t at = page_up((uint64_t)(handover + 1));

	for (unsigned i = 0; i < count; i++) {
		const struct multiboot_module *module = multiboot_module(i);
		uint32_t size = module->end - module->start;

		memcpy((void *)at, (const void *)(uint64_t)module->start, size);
		handover->modules[i] = (struct multiboot_module){
			.start = (uint32_t)at,
			.end = (uint32_t)at + size,
			.command_line = copy_line(handover->lines[i], module->command_line),
		};
		at += page_up(size);
	}
}

static void add_range(struct handover *handover, uint64_t start, uint64_t end, uint32_t type)
{
	struct multiboot_info *info = &handover->info;
	unsigned index = info->memory_map_length / sizeof(struct multiboot_memory);

	if (start >= end || index == MAP_ENTRIES)
		return;
	handover->map[index] = (struct multiboot_memory){
		.size = sizeof(struct multiboot_memory) - sizeof(uint32_t),
		.base = start,
		.length = end - start,
		.type = type,
	};
	info->memory_map_length += sizeof(struct multiboot_memory);
	if (type == MULTIBOOT_RAM && start == 0x100000)
		info->memory_upper = (uint32_t)((end - start) / 1024);
	if (type == MULTIBOOT_RAM && start == 0)
		info->memory_lower = (uint32_t)(end / 1024);
}

/* RAM without tiny and without what EPT does not map (above 4 GiB). */
static void copy_memory_map(struct handover *handover)
{
	const struct multiboot_memory *entry = NULL;

	handover->info.memory_map = (uint32_t)(uint64_t)handover->map;
	while ((entry = multiboot_next_memory(entry))) {
		uint64_t start = entry->base, end = entry->base + entry->length;

		if (end > UINT64_C(1) << 32)
			continue;
		if (entry->type != MULTIBOOT_RAM || end <= tiny_start() || start >= tiny_end()) {
			add_range(handover, start, end, entry->type);
			continue;
		}
		add_range(handover, start, tiny_start(), entry->type);
		add_range(handover, tiny_end(), end, entry->type);
	}
}

static uint32_t load_image(const struct handover *handover)
{
	const struct multiboot_module *module = &handover->modules[0];
	const void *file = (const void *)(uint64_t)module->start;
	uint32_t size = module->end - module->start;
	struct guest_image plan;
	const char *refused = guest_image_plan(file, size, &plan);

	if (refused)
		runtime_panic(TINY_NO_GUEST, "tiny: the first module is refused: %s", refused);
	if ((plan.low < tiny_end() && plan.high > tiny_start()) || plan.high > (uint64_t)handover)
		runtime_panic(TINY_NO_GUEST,
			      "tiny: the guest at %lx-%lx does not fit: tiny has %lx-%lx",
			      plan.low, plan.high, tiny_start(), tiny_end());
	guest_image_load(file, size, &plan);
	return (uint32_t)plan.entry;
}

struct guest_start guest_load(void)
{
	struct handover *handover;
	unsigned count = 0;

	while (multiboot_module(count))
		count++;
	if (!count || count > MODULES_AT_MOST)
		runtime_panic(TINY_NO_GUEST, "tiny: give the guest as the first of 1 to %u modules",
			      MODULES_AT_MOST);
	handover = allocate(count);
	copy_modules(handover, count);
	copy_memory_map(handover);
	handover->info.flags = MULTIBOOT_INFO_MEMORY | MULTIBOOT_INFO_COMMAND_LINE |
			       MULTIBOOT_INFO_MODULES | MULTIBOOT_INFO_MEMORY_MAP;
	handover->info.command_line = handover->modules[0].command_line;
	handover->info.module_count = count - 1;
	handover->info.modules = (uint32_t)(uint64_t)&handover->modules[1];
	return (struct guest_start){
		.entry = load_image(handover),
		.information = (uint32_t)(uint64_t)&handover->info,
	};
}
