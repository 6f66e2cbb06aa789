/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The Linux boot protocol: what a kernel finds in its zero page, its page tables and its registers.
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

#define KERNEL_FILE 0x400000u
#define SETUP_SECTORS 3u
#define SETUP_SIZE ((SETUP_SECTORS + 1) * 512)
#define KERNEL_SIZE 0x2000u
#define INITRD 0x600000u
#define INITRD_SIZE 0x1234u
#define PREFERRED UINT64_C(0x1000000)

static struct loader_entry entry;

static void put(unsigned offset, uint64_t value, unsigned size)
{
	memcpy((uint8_t *)memory_pointer(KERNEL_FILE) + offset, &value, size);
}

static uint64_t get(unsigned offset, unsigned size)
{
	uint64_t value = 0;

	memcpy(&value, (uint8_t *)memory_pointer(entry.rsi) + offset, size);
	return value;
}

/* The fields of boot.rst that matter, at its offsets. */
static void put_kernel(void)
{
	memset(memory_pointer(KERNEL_FILE + SETUP_SIZE), 0x5a, KERNEL_SIZE);
	put(0x1f1, SETUP_SECTORS, 1);
	put(0x200, 0x6aeb, 2); /* jump: the header ends at 0x26c */
	put(0x202, 0x53726448, 4);
	put(0x206, 0x20f, 2);
	put(0x22c, 0x7fffffff, 4);
	put(0x230, 0x200000, 4);
	put(0x234, 1, 1);
	put(0x236, 1, 2);
	put(0x258, PREFERRED, 8);
	put(0x260, 0x800000, 4);
}

static void start(void)
{
	fake_start(0);
	put_kernel();
	loader_boot.module_count = 2;
	loader_boot.modules[0] = (struct loader_module){
		KERNEL_FILE, KERNEL_FILE + SETUP_SIZE + KERNEL_SIZE, "console=ttyS0 quiet"};
	loader_boot.modules[1] = (struct loader_module){INITRD, INITRD + INITRD_SIZE, ""};
	memory_use(KERNEL_FILE, SETUP_SIZE + KERNEL_SIZE);
	memory_use(INITRD, INITRD_SIZE);
}

static int setup(void **state)
{
	start();
	return 0;
}

static void kernel_goes_where_it_prefers(void **state)
{
	loader_load(&entry);
	assert_int_equal(entry.mode, LOADER_LONG64);
	assert_int_equal(entry.rip, PREFERRED + 0x200);
	assert_memory_equal(memory_pointer(PREFERRED), memory_pointer(KERNEL_FILE + SETUP_SIZE),
			    KERNEL_SIZE);
}

static void relocatable_kernel_moves_out_of_the_way(void **state)
{
	memory_use(PREFERRED, 1);
	loader_load(&entry);
	assert_int_equal(entry.rip, PREFERRED + 0x200000 + 0x200);
}

static void fixed_kernel_is_refused_then(void **state)
{
	put(0x234, 0, 1);
	memory_use(PREFERRED, 1);
	assert_true(FAKE_REFUSES(loader_load(&entry)));
}

static void zero_page_is_filled(void **state)
{
	loader_load(&entry);
	assert_int_equal(get(0x202, 4), 0x53726448);
	assert_int_equal(get(0x210, 1), 0xff);
	assert_int_equal(get(0x218, 4), INITRD);
	assert_int_equal(get(0x21c, 4), INITRD_SIZE);
	assert_string_equal(memory_pointer(get(0x228, 4)), "console=ttyS0 quiet");
	assert_int_equal(get(0x1ef, 1), 0); /* before the header: cleared */
}

/* What a loader puts in front of the words is not the kernel's; what only looks like it, is. */
static void file_name_is_dropped(void **state)
{
	static const char *const lines[][2] = {
		{"/boot/bzImage console=ttyS0 quiet", "console=ttyS0 quiet"},
		{"./out/bzImage", ""},
		{"root=/dev/sda1 quiet", "root=/dev/sda1 quiet"},
		{"quiet init=/bin/sh", "quiet init=/bin/sh"},
		{"", ""},
	};

	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		start();
		loader_boot.modules[0].string = lines[i][0];
		loader_load(&entry);
		assert_string_equal(memory_pointer(get(0x228, 4)), lines[i][1]);
	}
}

static void initrd_above_its_limit_is_moved(void **state)
{
	uint64_t to;

	put(0x22c, INITRD - 1, 4);
	memset(memory_pointer(INITRD), 0xa5, INITRD_SIZE);
	loader_load(&entry);
	to = get(0x218, 4);
	assert_true(to + INITRD_SIZE <= INITRD);
	assert_memory_equal(memory_pointer(to), memory_pointer(INITRD), INITRD_SIZE);
}

static void e820_hides_our_region(void **state)
{
	uint64_t ram = 0;

	loader_load(&entry);
	for (unsigned i = 0; i < get(0x1e8, 1); i++) {
		uint64_t base = get(0x2d0 + 20 * i, 8), length = get(0x2d8 + 20 * i, 8);

		if (get(0x2e0 + 20 * i, 4) != MULTIBOOT_MEMORY_RAM)
			continue;
		assert_true(base + length <= memory_map.region.base ||
			    base >= memory_map.region.end);
		ram += length;
	}
	assert_int_equal(ram, 0xa0000 + FAKE_RAM - 0x100000 - 0x200000);
}

static void paging_is_identity(void **state)
{
	const uint64_t *pml4, *pdpt, *directory;

	loader_load(&entry);
	pml4 = memory_pointer(entry.cr3);
	pdpt = memory_pointer(pml4[0] & EPT_ADDRESS);
	for (uint64_t i = 0; i < 4; i++) {
		directory = memory_pointer(pdpt[i] & EPT_ADDRESS);
		for (uint64_t j = 0; j < 512; j++)
			assert_int_equal(directory[j],
					 (i << 30 | j << 21) | PTE_P | PTE_W | PTE_PS);
	}
}

static void old_kernels_are_no_kernels(void **state)
{
	const uint8_t *file = memory_pointer(KERNEL_FILE);

	assert_true(linux_recognize(file, file + SETUP_SIZE));
	assert_false(linux_recognize(file, file + 0x210));
	put(0x236, 0, 2); /* no 64-bit entry */
	assert_false(linux_recognize(file, file + SETUP_SIZE));
	put(0x236, 1, 2);
	put(0x206, 0x20b, 2);
	assert_false(linux_recognize(file, file + SETUP_SIZE));
}

static void truncated_kernel_is_refused(void **state)
{
	loader_boot.modules[0].end = KERNEL_FILE + SETUP_SIZE;
	assert_true(FAKE_REFUSES(loader_load(&entry)));
}

/* What is copied must fit what was reserved for it: our own memory may lie behind that. */
static void kernel_larger_than_it_says_is_refused(void **state)
{
	put(0x260, KERNEL_SIZE - 1, 4);
	assert_true(FAKE_REFUSES(loader_load(&entry)));
	start();
	put(0x260, KERNEL_SIZE, 4);
	assert_false(FAKE_REFUSES(loader_load(&entry)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(kernel_goes_where_it_prefers, setup),
		cmocka_unit_test_setup(relocatable_kernel_moves_out_of_the_way, setup),
		cmocka_unit_test_setup(fixed_kernel_is_refused_then, setup),
		cmocka_unit_test_setup(zero_page_is_filled, setup),
		cmocka_unit_test_setup(file_name_is_dropped, setup),
		cmocka_unit_test_setup(initrd_above_its_limit_is_moved, setup),
		cmocka_unit_test_setup(e820_hides_our_region, setup),
		cmocka_unit_test_setup(paging_is_identity, setup),
		cmocka_unit_test_setup(old_kernels_are_no_kernels, setup),
		cmocka_unit_test_setup(truncated_kernel_is_refused, setup),
		cmocka_unit_test_setup(kernel_larger_than_it_says_is_refused, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
