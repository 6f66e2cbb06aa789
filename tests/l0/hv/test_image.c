/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Image headers: the three forms of a multiboot image, and files that lie.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "l0/hv/loader.h"
#include "l0/hv/multiboot.h"

#define FILE_SIZE 0x3000u

static uint8_t file[FILE_SIZE];
static struct image image;

static void put_header(unsigned at, uint32_t flags)
{
	struct multiboot_header header = {.magic = MULTIBOOT_HEADER_MAGIC, .flags = flags};

	header.checksum = -(header.magic + header.flags);
	memcpy(file + at, &header, 12);
}

static void put32(unsigned at, uint32_t value)
{
	memcpy(file + at, &value, 4);
}

static void put64(unsigned at, uint64_t value)
{
	memcpy(file + at, &value, 8);
}

static bool parse(void)
{
	return image_parse(&image, file, file + FILE_SIZE);
}

/* One PT_LOAD segment, file 0x1000.., virtual 0xc0100000, physical 0x100000. */
static int elf32(void **state)
{
	static const uint8_t ident[] = {0x7f, 'E', 'L', 'F', 1, 1, 1};

	memset(file, 0, sizeof(file));
	memcpy(file, ident, sizeof(ident));
	put32(24, 0xc0100010); /* e_entry */
	put32(28, 52);         /* e_phoff */
	put32(40, 52 | 32 << 16);
	put32(44, 1);
	put32(52, 1);
	put32(56, 0x1000);
	put32(60, 0xc0100000);
	put32(64, 0x100000);
	put32(68, 0x800);
	put32(72, 0x900);
	put_header(0x400, 0);
	return 0;
}

static int elf64(void **state)
{
	static const uint8_t ident[] = {0x7f, 'E', 'L', 'F', 2, 1, 1};

	memset(file, 0, sizeof(file));
	memcpy(file, ident, sizeof(ident));
	put64(24, UINT64_C(0xffffffff80000020));
	put64(32, 64);
	put32(52, 64 | 56 << 16);
	put32(56, 1);
	put32(64, 1);
	put64(72, 0x1000);
	put64(80, UINT64_C(0xffffffff80000000));
	put64(88, 0x200000);
	put64(96, 0x800);
	put64(104, 0x2000);
	put_header(0x400, 3);
	return 0;
}

static int addresses(void **state)
{
	memset(file, 0, sizeof(file));
	put_header(0x40, MULTIBOOT_HEADER_ADDRESSES);
	put32(0x4c, 0x100010); /* header_addr: load_addr is 0x10 before it, so file 0x30 */
	put32(0x50, 0x100000);
	put32(0x54, 0x101000);
	put32(0x58, 0x104000);
	put32(0x5c, 0x100044);
	return 0;
}

static void elf32_is_read(void **state)
{
	assert_true(parse());
	assert_int_equal(image.segment_count, 1);
	assert_int_equal(image.segments[0].file, 0x1000);
	assert_int_equal(image.segments[0].address, 0x100000);
	assert_int_equal(image.segments[0].file_size, 0x800);
	assert_int_equal(image.segments[0].memory_size, 0x900);
	assert_int_equal(image.entry, 0x100010); /* made physical */
}

static void elf64_is_read(void **state)
{
	assert_true(parse());
	assert_int_equal(image.segments[0].address, 0x200000);
	assert_int_equal(image.segments[0].memory_size, 0x2000);
	assert_int_equal(image.entry, 0x200020);
}

static void physical_entry_is_kept(void **state)
{
	put64(24, 0x200020);
	assert_true(parse());
	assert_int_equal(image.entry, 0x200020);
}

static void addresses_are_read(void **state)
{
	assert_true(parse());
	assert_int_equal(image.segments[0].file, 0x30);
	assert_int_equal(image.segments[0].address, 0x100000);
	assert_int_equal(image.segments[0].file_size, 0x1000);
	assert_int_equal(image.segments[0].memory_size, 0x4000);
	assert_int_equal(image.entry, 0x100044);
}

static void addresses_may_mean_the_whole_file(void **state)
{
	put32(0x54, 0);
	put32(0x58, 0);
	assert_true(parse());
	assert_int_equal(image.segments[0].file_size, FILE_SIZE - 0x30);
	assert_int_equal(image.segments[0].memory_size, FILE_SIZE - 0x30);
}

static void no_header_is_no_image(void **state)
{
	put32(0x400, 0);
	assert_false(parse());
}

static void bad_checksum_is_no_header(void **state)
{
	put32(0x408, 1);
	assert_false(parse());
}

/* Each of these made a loader somewhere read beyond the file. */
static void lying_elf_is_refused(void **state)
{
	elf64(state);
	put64(96, FILE_SIZE); /* file part longer than the file */
	assert_false(parse());
	elf64(state);
	put64(72, UINT64_MAX); /* offset that wraps */
	assert_false(parse());
	elf64(state);
	put64(32, FILE_SIZE - 8); /* program headers beyond the end */
	assert_false(parse());
	elf64(state);
	put64(32, UINT64_MAX - 7);
	assert_false(parse());
	elf64(state);
	put64(96, 0x900); /* more in the file than in memory */
	put64(104, 0x800);
	assert_false(parse());
	elf64(state);
	put64(88, UINT64_MAX - 0x10); /* memory that wraps */
	assert_false(parse());
	elf64(state);
	put32(52, 64 | 8 << 16); /* program headers too small */
	assert_false(parse());
}

static void lying_addresses_are_refused(void **state)
{
	addresses(state);
	put32(0x50, 0x100020); /* loaded from behind the header */
	assert_false(parse());
	addresses(state);
	put32(0x4c, 0x100050); /* begins before the file */
	assert_false(parse());
	addresses(state);
	put32(0x54, 0x100000 + FILE_SIZE); /* ends behind it */
	assert_false(parse());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(elf32_is_read, elf32),
		cmocka_unit_test_setup(elf64_is_read, elf64),
		cmocka_unit_test_setup(physical_entry_is_kept, elf64),
		cmocka_unit_test_setup(addresses_are_read, addresses),
		cmocka_unit_test_setup(addresses_may_mean_the_whole_file, addresses),
		cmocka_unit_test_setup(no_header_is_no_image, elf32),
		cmocka_unit_test_setup(bad_checksum_is_no_header, elf32),
		cmocka_unit_test(lying_elf_is_refused),
		cmocka_unit_test(lying_addresses_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
