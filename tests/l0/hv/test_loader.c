/* SPDX-License-Identifier: BSD-2-Clause
 *
 * From one multiboot loader's information to the next: what the guest finds is what a boot loader
 * would have left, less our region and the module that it is itself.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "l0/hv/loader.h"
#include "l0/hv/multiboot.h"
#include "tests/l0/hv/fake_hv.h"

#define INFO 0x9000u
#define MODULES 0x9100u
#define MAP 0x9200u
#define STRINGS 0x9300u
#define GUEST_FILE 0x200000u
#define GUEST_FILE_SIZE 0x1000u
#define GUEST_LOAD 0x100000u

static struct loader_entry entry;

static void put_string(uint32_t at, const char *s)
{
	memcpy(memory_pointer(at), s, strlen(s) + 1);
}

static void put_guest(uint32_t bss_end)
{
	struct multiboot_header header = {.magic = MULTIBOOT_HEADER_MAGIC,
					  .flags = MULTIBOOT_HEADER_ADDRESSES,
					  .header_addr = GUEST_LOAD,
					  .load_addr = GUEST_LOAD,
					  .load_end_addr = GUEST_LOAD + GUEST_FILE_SIZE,
					  .bss_end_addr = bss_end,
					  .entry_addr = GUEST_LOAD + 0x20};

	header.checksum = -(header.magic + header.flags);
	memset(memory_pointer(GUEST_FILE), 0x5a, GUEST_FILE_SIZE);
	memcpy(memory_pointer(GUEST_FILE), &header, sizeof(header));
}

static void put_info(uint32_t second_module)
{
	struct multiboot_module modules[] = {
		{GUEST_FILE, GUEST_FILE + GUEST_FILE_SIZE, STRINGS + 0x10, 0},
		{second_module, second_module + 0x100, STRINGS + 0x30, 0},
	};
	struct multiboot_mmap map[] = {
		{20, 0, 0xa0000, MULTIBOOT_MEMORY_RAM},
		{20, 0x100000, FAKE_RAM - 0x100000, MULTIBOOT_MEMORY_RAM},
		{20, 0xfffc0000, 0x40000, MULTIBOOT_MEMORY_RESERVED},
	};
	struct multiboot_info info = {
		.flags = MULTIBOOT_INFO_CMDLINE | MULTIBOOT_INFO_MODS | MULTIBOOT_INFO_MMAP,
		.cmdline = STRINGS,
		.mods_count = 2,
		.mods_addr = MODULES,
		.mmap_addr = MAP,
		.mmap_length = sizeof(map),
	};

	memcpy(memory_pointer(INFO), &info, sizeof(info));
	memcpy(memory_pointer(MODULES), modules, sizeof(modules));
	memcpy(memory_pointer(MAP), map, sizeof(map));
	put_string(STRINGS, "hv verbose");
	put_string(STRINGS + 0x10, "guest one=1");
	put_string(STRINGS + 0x30, "second");
	memset(memory_pointer(second_module), 0xa5, 0x100);
}

static void boot(uint32_t second_module, uint32_t bss_end)
{
	fake_start(0);
	memory_map.map_count = 0;
	put_guest(bss_end);
	put_info(second_module);
	multiboot_read(MULTIBOOT_BOOT_MAGIC, INFO);
	loader_load(&entry);
}

static const struct multiboot_info *guest_info(void)
{
	return memory_pointer(entry.rbx);
}

static void guest_starts_like_a_kernel(void **state)
{
	boot(0x300000, 0);
	assert_int_equal(entry.mode, LOADER_PROTECTED32);
	assert_int_equal(entry.rip, GUEST_LOAD + 0x20);
	assert_int_equal(entry.rax, MULTIBOOT_BOOT_MAGIC);
	assert_memory_equal(memory_pointer(GUEST_LOAD), memory_pointer(GUEST_FILE),
			    GUEST_FILE_SIZE);
	assert_string_equal(memory_pointer(guest_info()->cmdline), "guest one=1");
	assert_string_equal(loader_boot.command_line, "hv verbose");
}

static void bss_is_cleared(void **state)
{
	fake_start(0);
	memset(memory_pointer(GUEST_LOAD + GUEST_FILE_SIZE), 0xff, 0x1000);
	memory_map.map_count = 0;
	put_guest(GUEST_LOAD + GUEST_FILE_SIZE + 0x800);
	put_info(0x300000);
	multiboot_read(MULTIBOOT_BOOT_MAGIC, INFO);
	loader_load(&entry);
	for (unsigned i = 0; i < 0x1000; i++)
		assert_int_equal(*(uint8_t *)memory_pointer(GUEST_LOAD + GUEST_FILE_SIZE + i),
				 i < 0x800 ? 0 : 0xff);
}

static void remaining_modules_are_passed_on(void **state)
{
	const struct multiboot_module *module;

	boot(0x300000, 0);
	assert_int_equal(guest_info()->mods_count, 1);
	module = memory_pointer(guest_info()->mods_addr);
	assert_int_equal(module->start, 0x300000); /* not in the way: stays */
	assert_int_equal(module->end, 0x300100);
	assert_string_equal(memory_pointer(module->string), "second");
}

static void modules_in_the_way_are_moved(void **state)
{
	const struct multiboot_module *module;
	const uint8_t *byte;

	boot(GUEST_LOAD + 0x2000, GUEST_LOAD + 0x4000);
	module = memory_pointer(guest_info()->mods_addr);
	assert_true(module->start >= GUEST_LOAD + 0x4000);
	assert_true(module->end <= memory_map.region.base ||
		    module->start >= memory_map.region.end);
	byte = memory_pointer(module->start);
	for (unsigned i = 0; i < 0x100; i++)
		assert_int_equal(byte[i], 0xa5);
}

static void guest_over_its_own_file_is_loaded(void **state)
{
	uint8_t expected[GUEST_FILE_SIZE];

	fake_start(0);
	memory_map.map_count = 0;
	put_guest(GUEST_FILE + 0x3000); /* bss reaches over the file */
	memcpy(expected, memory_pointer(GUEST_FILE), sizeof(expected));
	put_info(0x300000);
	multiboot_read(MULTIBOOT_BOOT_MAGIC, INFO);
	loader_load(&entry);
	assert_memory_equal(memory_pointer(GUEST_LOAD), expected, GUEST_FILE_SIZE);
}

static void our_region_is_not_ram_for_the_guest(void **state)
{
	const struct multiboot_mmap *map;
	uint64_t ram = 0;

	boot(0x300000, 0);
	map = memory_pointer(guest_info()->mmap_addr);
	for (uint32_t at = 0; at < guest_info()->mmap_length; at += sizeof(*map), map++) {
		bool overlaps = map->base < memory_map.region.end &&
				map->base + map->length > memory_map.region.base;

		if (map->type != MULTIBOOT_MEMORY_RAM)
			continue;
		assert_false(overlaps);
		ram += map->length;
	}
	assert_int_equal(ram, 0xa0000 + FAKE_RAM - 0x100000 - 0x200000);
	assert_int_equal(guest_info()->mem_lower, 640);
	assert_int_equal(guest_info()->mem_upper, (memory_map.region.base - 0x100000) / 1024);
}

static void too_large_a_guest_is_refused(void **state)
{
	assert_true(FAKE_REFUSES(boot(0x300000, (uint32_t)FAKE_RAM + 0x1000)));
	assert_true(FAKE_REFUSES(boot(0x300000, 0x3c00001)));
}

static void no_guest_is_refused(void **state)
{
	fake_start(0);
	assert_true(FAKE_REFUSES(loader_load(&entry)));
	assert_true(FAKE_REFUSES(multiboot_read(0, INFO)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guest_starts_like_a_kernel),
		cmocka_unit_test(bss_is_cleared),
		cmocka_unit_test(remaining_modules_are_passed_on),
		cmocka_unit_test(modules_in_the_way_are_moved),
		cmocka_unit_test(guest_over_its_own_file_is_loaded),
		cmocka_unit_test(our_region_is_not_ram_for_the_guest),
		cmocka_unit_test(too_large_a_guest_is_refused),
		cmocka_unit_test(no_guest_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
