/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Access to the loader's information: command-line options, modules, memory map, free RAM.
 */
#include "l1/lib/multiboot.h"

#include <stddef.h>

#include "l1/lib/string.h"

extern char image_start[], image_end[];

static const struct multiboot_info *information;

void multiboot_init(uint32_t address)
{
	information = (const struct multiboot_info *)(uint64_t)address;
}

const struct multiboot_info *multiboot_get_info(void)
{
	return information;
}

const char *multiboot_command_line(void)
{
	if (!(information->flags & MULTIBOOT_INFO_COMMAND_LINE) || !information->command_line)
		return "";
	return (const char *)(uint64_t)information->command_line;
}

/* What follows `name` in the word that starts with it, NULL if no word does. */
static const char *find_word(const char *name)
{
	const char *at = multiboot_command_line();
	size_t length = strlen(name);

	for (;;) {
		while (*at == ' ')
			at++;
		if (!*at)
			return NULL;
		for (size_t i = 0; at[i] == name[i] || i == length; i++) {
			if (i == length && (at[i] == ' ' || at[i] == '=' || !at[i]))
				return at + length;
			if (i == length)
				break;
		}
		while (*at && *at != ' ')
			at++;
	}
}

bool multiboot_has_word(const char *word)
{
	return find_word(word);
}

uint64_t multiboot_option(const char *name, uint64_t fallback)
{
	const char *at = find_word(name);
	uint64_t value = 0;

	if (!at || *at != '=')
		return fallback;
	for (at++; *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (uint64_t)(*at - '0');
	return value;
}

const struct multiboot_module *multiboot_module(uint32_t index)
{
	if (!(information->flags & MULTIBOOT_INFO_MODULES) || index >= information->module_count)
		return NULL;
	return (const struct multiboot_module *)(uint64_t)information->modules + index;
}

const struct multiboot_memory *multiboot_next_memory(const struct multiboot_memory *previous)
{
	uint64_t at = information->memory_map;
	uint64_t end = at + information->memory_map_length;

	if (!(information->flags & MULTIBOOT_INFO_MEMORY_MAP))
		return NULL;
	if (previous)
		at = (uint64_t)previous + previous->size + sizeof(previous->size);
	return at < end ? (const struct multiboot_memory *)at : NULL;
}

/* If [start, start + size) meets [taken, taken_end): moves *start below it. */
static bool step_below(uint64_t *start, uint64_t size, uint64_t align, uint64_t taken,
		       uint64_t taken_end)
{
	if (*start >= taken_end || *start + size <= taken)
		return false;
	*start = taken < size ? 0 : (taken - size) & ~(align - 1);
	return true;
}

static bool step_below_taken(uint64_t *start, uint64_t size, uint64_t align)
{
	const struct multiboot_module *module;
	uint64_t info = (uint64_t)information, line = (uint64_t)multiboot_command_line();
	bool moved = step_below(start, size, align, (uint64_t)image_start, (uint64_t)image_end);

	moved |= step_below(start, size, align, info, info + sizeof(*information));
	moved |= step_below(start, size, align, line, line + strlen((const char *)line) + 1);
	moved |= step_below(start, size, align, information->modules,
			    information->modules + information->module_count * sizeof(*module));
	moved |= step_below(start, size, align, information->memory_map,
			    information->memory_map + information->memory_map_length);
	for (uint32_t i = 0; (module = multiboot_module(i)); i++) {
		uint64_t text = module->command_line;

		moved |= step_below(start, size, align, module->start, module->end);
		moved |= step_below(start, size, align, text, text + 1024);
	}
	return moved;
}

uint64_t multiboot_find_ram(uint64_t size, uint64_t align)
{
	const struct multiboot_memory *memory = NULL;
	uint64_t best = 0;

	while ((memory = multiboot_next_memory(memory))) {
		uint64_t end = memory->base + memory->length, start;

		if (memory->type != MULTIBOOT_RAM || memory->base >= UINT64_C(1) << 32)
			continue;
		if (end > UINT64_C(1) << 32)
			end = UINT64_C(1) << 32;
		if (end < size)
			continue;
		start = (end - size) & ~(align - 1);
		while (start >= memory->base && step_below_taken(&start, size, align))
			;
		if (start >= memory->base && start > best)
			best = start;
	}
	return best;
}
