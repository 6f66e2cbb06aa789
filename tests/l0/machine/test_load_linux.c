/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Linux loader: a made-up bzImage with a real header; zero page, page tables, GDT, initial RAM
 * disk, command line, refusals.
 */
#include "tests/l0/machine/load_fixture.h"

#define SECTORS 4
#define KERNEL ((SECTORS + 1) * 512)
#define SIZE (KERNEL + 0x400)

static uint8_t image[SIZE];

static void put(unsigned at, unsigned size, uint64_t value)
{
	memcpy(image + at, &value, size);
}

static void build(void)
{
	memset(image, 0, sizeof(image));
	put(0x1f1, 1, SECTORS);
	put(0x1fe, 2, 0xaa55);
	put(0x200, 2, 0x66eb); /* the header ends at 0x268 */
	memcpy(image + 0x202, "HdrS", 4);
	put(0x206, 2, 0x20f);
	put(0x211, 1, 1);
	put(0x22c, 4, 0x7fffffff);
	put(0x230, 4, 0x200000);
	put(0x234, 1, 1);
	put(0x236, 2, 1);
	put(0x238, 4, 32);
	put(0x258, 8, 0x1000000);
	put(0x260, 4, 0x800000);
	memset(image + KERNEL, 'k', SIZE - KERNEL);
}

static bool load_linux(const char *args, const char *initrd)
{
	struct load_request request = { .image = { make_file(image, sizeof(image)), args },
					.initrd = initrd };
	return load(&request);
}

static void boot_protocol(void **state)
{
	build();
	const char *initrd = make_file("initrd contents", 15);
	assert_true(load_linux("console=ttyS0", initrd));
	assert_int_equal(boot_state.mode, BOOT_LONG64);
	assert_int_equal(boot_state.rip, 0x1000200);
	assert_memory_equal(guest_text(0x1000000), image + KERNEL, SIZE - KERNEL);
	uint64_t zero = boot_state.rsi;
	assert_int_equal(guest(zero + 0x202, 4), 0x53726448);
	assert_int_equal(guest(zero + 0x1ef, 1), 0); /* sentinel */
	assert_int_equal(guest(zero + 0x210, 1), 0xff);
	assert_int_equal(guest(zero + 0x70, 8), 0xe0000);
	assert_string_equal(guest_text(guest(zero + 0x228, 4)), "console=ttyS0");
	uint64_t disk = guest(zero + 0x218, 4);
	assert_int_equal(guest(zero + 0x21c, 4), 15);
	assert_int_equal(disk, (64 << 20) - 4096);
	assert_memory_equal(guest_text(disk), "initrd contents", 15);
	uint64_t ram = 0;
	for (unsigned i = 0; i < guest(zero + 0x1e8, 1); i++)
		if (guest(zero + 0x2d0 + 20 * i + 16, 4) == 1)
			ram += guest(zero + 0x2d0 + 20 * i + 8, 8);
	assert_int_equal(ram, (63 << 20) + 0x9fc00);
	assert_int_equal(guest(boot_state.gdt_base + 0x10, 8), 0x00af9b000000ffff);
	assert_int_equal(guest(boot_state.gdt_base + 0x18, 8), 0x00cf93000000ffff);
}

static uint64_t translate(uint64_t linear)
{
	uint64_t entry = guest((boot_state.cr3 & ~0xfffu) + 8 * (linear >> 39 & 511), 8);

	assert_true(entry & 1);
	entry = guest((entry & ~UINT64_C(0xfff)) + 8 * (linear >> 30 & 511), 8);
	if (!(entry & 1))
		return UINT64_MAX;
	entry = guest((entry & ~UINT64_C(0xfff)) + 8 * (linear >> 21 & 511), 8);
	assert_int_equal(entry & 0x83, 0x83);
	return (entry & ~UINT64_C(0x1fffff)) | (linear & 0x1fffff);
}

static void identity_map(void **state)
{
	static const uint64_t rows[] = { 0,	     0x1000200,	 0x3fffffff,
					 0x40000000, 0xfee00030, 0xffffffff };

	build();
	assert_true(load_linux(NULL, NULL));
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_true(translate(rows[i]) == rows[i]);
	assert_true(translate(UINT64_C(1) << 32) == UINT64_MAX);
	assert_string_equal(guest_text(guest(boot_state.rsi + 0x228, 4)), "");
	assert_int_equal(guest(boot_state.rsi + 0x218, 8), 0); /* no initial RAM disk */
}

/* A relocatable kernel moves when RAM ends before its preferred address; another is refused. */
static void relocation(void **state)
{
	build();
	put(0x258, 8, 0x8000000);
	assert_true(load_linux(NULL, NULL));
	assert_int_equal(boot_state.rip, 0x200200);
	put(0x234, 1, 0);
	remove_files();
	assert_false(load_linux(NULL, NULL));
	assert_refused(STATUS_BAD_IMAGE, "--mem");
}

static void refusals(void **state)
{
	static const struct {
		unsigned at, size;
		uint64_t value;
		const char *word;
	} rows[] = {
		{ 0x206, 2, 0x20b, "2.12" },
		{ 0x236, 2, 0, "64-bit" },
		{ 0x211, 1, 0, "64-bit" },
		{ 0x202, 4, 0, "neither" },
		{ 0x260, 4, 0xffffffff, "--mem" },
		{ 0x1f1, 1, 200, "truncated" },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		build();
		put(rows[i].at, rows[i].size, rows[i].value);
		assert_false(load_linux(NULL, NULL));
		assert_refused(STATUS_BAD_IMAGE, rows[i].word);
		remove_files();
	}
	build();
	assert_false(load_linux("0123456789abcdef0123456789abcdefX", NULL));
	assert_refused(STATUS_BAD_IMAGE, "32 characters");
	remove_files();
	assert_false(load_linux(NULL, "/nonexistent"));
	assert_refused(STATUS_NO_FILE, "/nonexistent");
	struct load_file module = { "x", NULL };
	struct load_request request = { .image = { make_file(image, sizeof(image)), NULL },
					.modules = &module, .module_count = 1 };
	assert_false(load(&request));
	assert_refused(STATUS_USAGE, "--initrd");
}

static void every_truncation(void **state)
{
	build();
	for (size_t size = 1; size <= KERNEL; size += size < 0x280 ? 1 : 97) {
		assert_false(load_image(image, size));
		assert_refused(STATUS_BAD_IMAGE, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOAD_TEST(boot_protocol), LOAD_TEST(identity_map), LOAD_TEST(relocation),
		LOAD_TEST(refusals),	  LOAD_TEST(every_truncation),
	};
	return cmocka_run_group_tests_name("load_linux", tests, NULL, NULL);
}
