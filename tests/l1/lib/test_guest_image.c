/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The image loader of l1/lib on files that may be anything: where it says a good file goes, and
 * that it refuses every truncation and every wild header without looking outside the file (run with
 * SAN=1).
 */
#include "l1/lib/guest_image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "l1/lib/multiboot.h"

#define FILE_SIZE 512
#define HEADER_AT 0x100
#define CODE_AT 0x180
#define CODE_SIZE 0x40
#define LOAD_AT 0x100000
#define ENTRY (LOAD_AT + 8)

struct elf64_file {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, rest[3];
	uint32_t segment_type, segment_flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

static void put_header(uint8_t *file, uint32_t flags)
{
	struct multiboot_header *header = (void *)(file + HEADER_AT);

	header->magic = MULTIBOOT_HEADER_MAGIC;
	header->flags = flags;
	header->checksum = 0 - header->magic - header->flags;
}

/* An ELF-64 of one segment. */
static struct elf64_file *make_elf(uint8_t *file)
{
	struct elf64_file *elf = (void *)file;

	memset(file, 0, FILE_SIZE);
	memcpy(elf->ident, "\177ELF\2\1\1", 7);
	elf->entry = ENTRY;
	elf->phoff = offsetof(struct elf64_file, segment_type);
	elf->phentsize = 56;
	elf->phnum = 1;
	elf->segment_type = 1;
	elf->offset = CODE_AT;
	elf->paddr = LOAD_AT;
	elf->vaddr = UINT64_C(0xffffffff80000000);
	elf->filesz = CODE_SIZE;
	elf->memsz = 0x1000;
	put_header(file, 0);
	return elf;
}

/* A flat image by its address fields. */
static struct multiboot_header *make_flat(uint8_t *file)
{
	struct multiboot_header *header = (void *)(file + HEADER_AT);

	memset(file, 0, FILE_SIZE);
	put_header(file, MULTIBOOT_HEADER_ADDRESSES);
	header->header_address = LOAD_AT + HEADER_AT;
	header->load_address = LOAD_AT;
	header->load_end = LOAD_AT + CODE_AT;
	header->bss_end = LOAD_AT + 0x2000;
	header->entry = ENTRY;
	return header;
}

static void assert_goes(const uint8_t *file, uint64_t low, uint64_t high)
{
	struct guest_image image;

	assert_null(guest_image_plan(file, FILE_SIZE, &image));
	assert_int_equal(image.low, low);
	assert_int_equal(image.high, high);
	assert_int_equal(image.entry, ENTRY);
}

static void assert_refused(const uint8_t *file, uint64_t size)
{
	/* An exact allocation, so that a sanitizer sees any access beyond it. */
	uint8_t *copy = malloc(size ? size : 1);
	struct guest_image image;

	memcpy(copy, file, size);
	assert_non_null(guest_image_plan(copy, size, &image));
	free(copy);
}

static void test_good_files(void **state)
{
	uint8_t file[FILE_SIZE] __attribute__((aligned(16)));

	make_elf(file);
	assert_goes(file, LOAD_AT, LOAD_AT + 0x1000);
	make_flat(file);
	assert_goes(file, LOAD_AT, LOAD_AT + 0x2000);
	make_flat(file)->load_end = 0; /* to the end of the file */
	assert_goes(file, LOAD_AT, LOAD_AT + 0x2000);
	make_flat(file)->bss_end = 0;
	assert_goes(file, LOAD_AT, LOAD_AT + CODE_AT);
}

static void test_every_truncation(void **state)
{
	uint8_t file[FILE_SIZE] __attribute__((aligned(16)));

	make_elf(file);
	for (uint64_t size = 0; size < CODE_AT + CODE_SIZE; size++)
		assert_refused(file, size);
	make_flat(file);
	for (uint64_t size = 0; size < CODE_AT; size++)
		assert_refused(file, size);
}

static void test_wild_elf_headers(void **state)
{
	uint8_t file[FILE_SIZE] __attribute__((aligned(16)));

	make_elf(file)->phoff = UINT64_MAX - 8;
	assert_refused(file, FILE_SIZE);
	make_elf(file)->phnum = UINT16_MAX;
	assert_refused(file, FILE_SIZE);
	make_elf(file)->phnum = 0;
	assert_refused(file, FILE_SIZE);
	make_elf(file)->phentsize = 0;
	assert_refused(file, FILE_SIZE);
	make_elf(file)->offset = UINT64_MAX - 1;
	assert_refused(file, FILE_SIZE);
	make_elf(file)->filesz = UINT64_MAX;
	assert_refused(file, FILE_SIZE);
	make_elf(file)->memsz = CODE_SIZE - 1;
	assert_refused(file, FILE_SIZE);
	make_elf(file)->memsz = UINT64_MAX;
	assert_refused(file, FILE_SIZE);
	make_elf(file)->paddr = UINT64_C(0x100000000);
	assert_refused(file, FILE_SIZE);
}

static void test_wild_address_fields(void **state)
{
	uint8_t file[FILE_SIZE] __attribute__((aligned(16)));

	make_flat(file)->load_address = LOAD_AT + HEADER_AT + 4; /* behind the header */
	assert_refused(file, FILE_SIZE);
	make_flat(file)->load_address = 0; /* before the file */
	assert_refused(file, FILE_SIZE);
	make_flat(file)->load_end = LOAD_AT - 1;
	assert_refused(file, FILE_SIZE);
	make_flat(file)->load_end = LOAD_AT + FILE_SIZE + 1;
	assert_refused(file, FILE_SIZE);
	make_flat(file)->bss_end = LOAD_AT + CODE_AT - 1;
	assert_refused(file, FILE_SIZE);
	make_flat(file)->checksum++;
	assert_refused(file, FILE_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_files),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_wild_elf_headers),
		cmocka_unit_test(test_wild_address_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
