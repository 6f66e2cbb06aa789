/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Multiboot loader: ELF32, ELF64 and address-field images, modules, boot information, and a clean
 * refusal of everything that is damaged or does not fit.
 */
#include <elf.h>

#include "tests/l0/machine/load_fixture.h"

#define MAGIC 0x1badb002u
#define AT 0x200000

/* An image of one segment: 16 bytes of content at AT, 0x1000 in memory, entry at AT + 4. */
struct image32 {
	Elf32_Ehdr header;
	Elf32_Phdr segment;
	uint32_t multiboot[3];
	uint8_t content[16];
};
struct image64 {
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	uint32_t multiboot[3];
	uint8_t content[16];
};

static struct image32 image32(void)
{
	struct image32 image = {
		.header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, 1 },
			    .e_type = ET_EXEC, .e_machine = EM_386, .e_version = 1,
			    .e_entry = AT + 4, .e_phoff = offsetof(struct image32, segment),
			    .e_ehsize = sizeof(Elf32_Ehdr), .e_phentsize = sizeof(Elf32_Phdr),
			    .e_phnum = 1 },
		.segment = { .p_type = PT_LOAD, .p_offset = offsetof(struct image32, content),
			     .p_vaddr = AT, .p_paddr = AT, .p_filesz = 16, .p_memsz = 0x1000 },
		.multiboot = { MAGIC, 3, -(MAGIC + 3) },
	};

	memcpy(image.content, "0123456789abcdef", 16);
	return image;
}

static struct image64 image64(void)
{
	struct image64 image = {
		.header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
			    .e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = 1,
			    .e_entry = 0xffffffff80000004, .e_phoff = offsetof(struct image64, segment),
			    .e_ehsize = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr),
			    .e_phnum = 1 },
		.segment = { .p_type = PT_LOAD, .p_offset = offsetof(struct image64, content),
			     .p_vaddr = 0xffffffff80000000, .p_paddr = AT, .p_filesz = 16,
			     .p_memsz = 0x1000 },
		.multiboot = { MAGIC, 3, -(MAGIC + 3) },
	};

	memcpy(image.content, "0123456789abcdef", 16);
	return image;
}

static void elf32(void **state)
{
	struct image32 image = image32();

	assert_true(load_image(&image, sizeof(image)));
	assert_int_equal(boot_state.mode, BOOT_PROTECTED32);
	assert_int_equal(boot_state.rip, AT + 4);
	assert_int_equal(boot_state.rax, 0x2badb002);
	assert_memory_equal(guest_text(AT), "0123456789abcdef\0", 17);
}

static void elf64(void **state)
{
	struct image64 image = image64();

	assert_true(load_image(&image, sizeof(image)));
	assert_int_equal(boot_state.rip, AT + 4); /* the virtual entry's physical place */
	assert_memory_equal(guest_text(AT), "0123456789abcdef\0", 17);
}

/* A file cut anywhere is refused, or loads exactly as the whole: nothing in between. */
static void every_truncation(void **state)
{
	struct image32 small = image32();
	struct image64 large = image64();

	for (size_t size = 0; size < sizeof(small); size++) {
		assert_false(load_image(&small, size));
		assert_refused(size ? STATUS_BAD_IMAGE : STATUS_NO_FILE, "");
	}
	for (size_t size = 1; size < offsetof(struct image64, content) + 16; size++) {
		assert_false(load_image(&large, size));
		assert_refused(STATUS_BAD_IMAGE, "");
	}
}

/* Every byte of the headers damaged in turn: never a crash, and a refusal leaves a reason. */
static void every_damage(void **state)
{
	for (size_t at = 0; at < offsetof(struct image32, content); at++) {
		for (unsigned bit = 0; bit < 8; bit += 7) {
			struct image32 image = image32();

			((uint8_t *)&image)[at] ^= 1 << bit;
			if (!load_image(&image, sizeof(image)))
				assert_true(load_error.text[0] && load_error.status);
		}
	}
}

static void refusals(void **state)
{
	struct image32 image = image32();

	image.segment.p_paddr = 64 << 20;
	assert_false(load_image(&image, sizeof(image)));
	assert_refused(STATUS_BAD_IMAGE, "--mem");
	image = image32();
	image.segment.p_memsz = 0xffffffff;
	assert_false(load_image(&image, sizeof(image)));
	assert_refused(STATUS_BAD_IMAGE, "--mem");
	image = image32();
	image.segment.p_paddr = 0x9f000;
	assert_false(load_image(&image, sizeof(image)));
	assert_refused(STATUS_BAD_IMAGE, "firmware");
	image = image32();
	image.segment.p_filesz = 0x1001;
	assert_false(load_image(&image, sizeof(image)));
	assert_refused(STATUS_BAD_IMAGE, "larger in the file");
	image = image32();
	image.header.e_entry = AT + 0x1000;
	assert_false(load_image(&image, sizeof(image)));
	assert_refused(STATUS_BAD_IMAGE, "entry point");
	image = image32();
	image.header.e_machine = EM_ARM;
	assert_false(load_image(&image, sizeof(image)));
	assert_refused(STATUS_BAD_IMAGE, "not an executable");
	image = image32();
	image.multiboot[1] = 8;
	image.multiboot[2] = -(MAGIC + 8);
	assert_false(load_image(&image, sizeof(image)));
	assert_refused(STATUS_BAD_IMAGE, "unknown features");
	image = image32();
	image.multiboot[2]++;
	assert_false(load_image(&image, sizeof(image)));
	assert_refused(STATUS_BAD_IMAGE, "neither");
	assert_false(load(&(struct load_request){ .image = { "/nonexistent", NULL } }));
	assert_refused(STATUS_NO_FILE, "/nonexistent");
	assert_false(load(&(struct load_request){ .image = { "/tmp", NULL } }));
	assert_refused(STATUS_NO_FILE, "directory");
}

static void overlapping_segments(void **state)
{
	struct {
		Elf32_Ehdr header;
		Elf32_Phdr segments[2];
		uint32_t multiboot[3];
	} image = { .header = image32().header, .multiboot = { MAGIC, 0, -MAGIC } };

	image.header.e_phnum = 2;
	image.segments[0] = image.segments[1] = image32().segment;
	image.segments[0].p_filesz = image.segments[1].p_filesz = 0;
	image.segments[1].p_paddr += 0xfff;
	assert_false(load_image(&image, sizeof(image)));
	assert_refused(STATUS_BAD_IMAGE, "overlaps");
	image.segments[1].p_paddr++;
	assert_true(load_image(&image, sizeof(image)));
}

/* The a.out kludge: header at file offset 4, which is AT + 4 in memory. */
static void address_fields(void **state)
{
	uint32_t image[32] = { 0x11111111, MAGIC, 0x10000, -(MAGIC + 0x10000),
			       AT + 4, AT, AT + 64, AT + 0x2000, AT + 40 };
	image[15] = 0x22222222;
	image[16] = 0x33333333; /* beyond load_end_addr */

	assert_true(load_image(image, sizeof(image)));
	assert_int_equal(boot_state.rip, AT + 40);
	assert_int_equal(guest(AT, 4), 0x11111111);
	assert_int_equal(guest(AT + 60, 4), 0x22222222);
	assert_int_equal(guest(AT + 64, 4), 0);
	image[6] = 0; /* to the end of the file */
	assert_true(load_image(image, sizeof(image)));
	assert_int_equal(guest(AT + 64, 4), 0x33333333);
	for (size_t size = 4; size < 36; size += 4)
		assert_false(load_image(image, size));
	image[6] = AT + 129;
	assert_false(load_image(image, sizeof(image)));
	assert_refused(STATUS_BAD_IMAGE, "truncated");
	image[6] = 0;
	image[5] = AT + 8; /* load address above the header's */
	assert_false(load_image(image, sizeof(image)));
	assert_refused(STATUS_BAD_IMAGE, "address fields");
}

/* Multiboot information as the specification lays it out. */
static void information(void **state)
{
	struct image32 image = image32();
	static uint8_t module[5000];
	struct load_file modules[2];
	struct load_request request = { .modules = modules, .module_count = 2 };

	memset(module, 'm', sizeof(module));
	request.image = (struct load_file){ make_file(&image, sizeof(image)), "a=1 b=2" };
	modules[0] = (struct load_file){ make_file(module, sizeof(module)), "first one" };
	modules[1] = (struct load_file){ make_file("tail", 4), NULL };
	assert_true(load(&request));
	uint64_t info = boot_state.rbx, mods = guest(info + 24, 4);
	assert_int_equal(guest(info, 4), 0x24d);
	assert_int_equal(guest(info + 4, 4), 639);
	assert_int_equal(guest(info + 8, 4), 63 << 10);
	char text[64];
	snprintf(text, sizeof(text), "%s a=1 b=2", request.image.path);
	assert_string_equal(guest_text(guest(info + 16, 4)), text);
	assert_int_equal(guest(info + 20, 4), 2);
	assert_string_equal(guest_text(guest(info + 64, 4)), "abyme " ABYME_VERSION);
	assert_int_equal(guest(mods, 4), AT + 0x1000); /* behind the bss */
	assert_int_equal(guest(mods + 4, 4), AT + 0x1000 + 5000);
	assert_memory_equal(guest_text(guest(mods, 4)), module, 4096);
	snprintf(text, sizeof(text), "%s first one", modules[0].path);
	assert_string_equal(guest_text(guest(mods + 8, 4)), text);
	assert_int_equal(guest(mods + 16, 4), AT + 0x3000); /* the next page */
	assert_memory_equal(guest_text(AT + 0x3000), "tail", 4);
	assert_string_equal(guest_text(guest(mods + 24, 4)), modules[1].path);
}

static void memory_map(void **state)
{
	struct image32 image = image32();

	fixture_teardown(state);
	assert_int_equal(fixture_setup_size(UINT64_C(4) << 30), 0);
	assert_true(load_image(&image, sizeof(image)));
	uint64_t info = boot_state.rbx, at = guest(info + 48, 4), end = at + guest(info + 44, 4);
	uint64_t ram = 0;
	while (at < end) {
		if (guest(at + 20, 4) == 1)
			ram += guest(at + 12, 8);
		at += 4 + guest(at, 4);
	}
	assert_int_equal(at, end);
	assert_true(ram == (UINT64_C(4) << 30) - (1 << 20) + 0x9fc00);
}

/* Information and modules keep out of the way of an image in low memory. */
static void low_image(void **state)
{
	struct image32 image = image32();

	image.header.e_entry = 0x8004;
	image.segment.p_vaddr = image.segment.p_paddr = 0x8000;
	image.segment.p_memsz = 0x97c00; /* up to the EBDA */
	assert_true(load_image(&image, sizeof(image)));
	assert_true(boot_state.rbx >= 0x100000);
	assert_int_equal(guest(boot_state.rbx, 4), 0x24d);
	assert_memory_equal(guest_text(0x8000), "0123456789abcdef\0", 17);
}

static void modules_that_do_not_load(void **state)
{
	struct image32 image = image32();
	struct load_file module = { "/nonexistent", NULL };
	struct load_request request = { .image = { make_file(&image, sizeof(image)), NULL },
					.modules = &module, .module_count = 1 };
	char *large = calloc(1, 63 << 20);

	assert_false(load(&request));
	assert_refused(STATUS_NO_FILE, "/nonexistent");
	module.path = make_file(large, 63 << 20);
	assert_false(load(&request));
	assert_refused(STATUS_BAD_IMAGE, "no room");
	free(large);
}

/* What would be ignored is refused. */
static void initrd(void **state)
{
	struct image32 image = image32();
	struct load_request request = { .image = { make_file(&image, sizeof(image)), NULL },
					.initrd = "/nonexistent" };

	assert_false(load(&request));
	assert_refused(STATUS_USAGE, "--module");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOAD_TEST(elf32),	LOAD_TEST(elf64),
		LOAD_TEST(every_truncation), LOAD_TEST(every_damage),
		LOAD_TEST(refusals),	LOAD_TEST(overlapping_segments),
		LOAD_TEST(address_fields), LOAD_TEST(information),
		LOAD_TEST(memory_map),	LOAD_TEST(low_image),
		LOAD_TEST(modules_that_do_not_load), LOAD_TEST(initrd),
	};
	return cmocka_run_group_tests_name("load_multiboot", tests, NULL, NULL);
}
