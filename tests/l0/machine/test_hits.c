/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The profile of `abyme run --profile`: counts by address, names from an ELF file's symbols, and
 * files that are damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "l0/machine/hits.h"
#include "l0/machine/machine.h"
#include "l0/machine/symbols.h"

#define CODE UINT64_C(0x400000)
#define CODE_SIZE 64

/* An image of one code section with `first` (sized), `second` (not) and a symbol of data. */
struct tiny_elf {
	Elf64_Ehdr header;
	Elf64_Shdr sections[4]; /* none, code, symbols, names */
	uint8_t code[CODE_SIZE];
	Elf64_Sym symbols[4];
	char names[32];
};

static struct tiny_elf make_elf(uint8_t filler)
{
	struct tiny_elf e = {
		.header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB },
			    .e_type = ET_EXEC,
			    .e_machine = EM_X86_64,
			    .e_shoff = offsetof(struct tiny_elf, sections),
			    .e_shentsize = sizeof(Elf64_Shdr),
			    .e_shnum = 4 },
		.sections = { [1] = { .sh_type = SHT_PROGBITS, .sh_flags = SHF_EXECINSTR,
				      .sh_addr = CODE, .sh_size = CODE_SIZE,
				      .sh_offset = offsetof(struct tiny_elf, code) },
			      [2] = { .sh_type = SHT_SYMTAB, .sh_link = 3,
				      .sh_size = sizeof(e.symbols),
				      .sh_offset = offsetof(struct tiny_elf, symbols) },
			      [3] = { .sh_type = SHT_STRTAB, .sh_size = sizeof(e.names),
				      .sh_offset = offsetof(struct tiny_elf, names) } },
		.symbols = { [1] = { .st_name = 1, .st_info = STT_FUNC, .st_shndx = 1,
				     .st_value = CODE, .st_size = 16 },
			     [2] = { .st_name = 7, .st_info = STT_NOTYPE, .st_shndx = 1,
				     .st_value = CODE + 32 },
			     [3] = { .st_name = 14, .st_info = STT_OBJECT, .st_shndx = 1,
				     .st_value = CODE + 40 } },
		.names = "\0first\0second\0data",
	};

	memset(e.code, filler, sizeof(e.code));
	return e;
}

static void write_file(const char *path, const void *data, size_t size)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static void names_come_from_the_image_with_these_bytes(void **state)
{
	char a[] = "/tmp/abyme-a-XXXXXX", b[] = "/tmp/abyme-b-XXXXXX";
	struct tiny_elf elf_a = make_elf(0x90), elf_b = make_elf(0xcc);
	const uint8_t nop = 0x90, int3 = 0xcc, hlt = 0xf4;
	struct symbols *symbols = symbols_create();
	const struct symbol *s;

	close(mkstemp(a));
	close(mkstemp(b));
	write_file(a, &elf_a, sizeof(elf_a));
	write_file(b, &elf_b, sizeof(elf_b));
	symbols_add_image(symbols, a);
	symbols_add_image(symbols, b);
	symbols_add_image(symbols, a);
	s = symbols_find(symbols, CODE + 15, &nop, 1);
	assert_string_equal(s->name, "first");
	assert_string_equal(symbols_image_name(symbols, s->image), a + strlen("/tmp/"));
	s = symbols_find(symbols, CODE + 63, &int3, 1); /* without a size: to the section's end */
	assert_string_equal(s->name, "second");
	assert_string_equal(symbols_image_name(symbols, s->image), b + strlen("/tmp/"));
	assert_null(symbols_find(symbols, CODE + 16, &nop, 1)); /* between the two */
	assert_null(symbols_find(symbols, CODE + 64, &nop, 1));
	assert_null(symbols_find(symbols, CODE, &hlt, 1));
	symbols_free(symbols);
	unlink(a);
	unlink(b);
}

/* Cut anywhere, or with any byte wrong: nothing is read beyond the file (the sanitizers' build
 * would say so). */
static void damaged_images_do_no_harm(void **state)
{
	char path[] = "/tmp/abyme-elf-XXXXXX";
	struct tiny_elf elf = make_elf(0x90);
	const uint8_t nop = 0x90;

	close(mkstemp(path));
	for (size_t i = 0; i < 2 * sizeof(elf); i++) {
		struct tiny_elf bad = elf;
		struct symbols *symbols = symbols_create();

		if (i >= sizeof(elf))
			((uint8_t *)&bad)[i - sizeof(elf)] ^= 0xff;
		write_file(path, &bad, i < sizeof(elf) ? i : sizeof(bad));
		symbols_add_image(symbols, path);
		(void)symbols_find(symbols, CODE + 3, &nop, 1);
		symbols_free(symbols);
	}
	unlink(path);
}

static void counts_survive_growth(void **state)
{
	enum { ADDRESSES = 20000, ROUNDS = 3 };
	char path[] = "/tmp/abyme-hits-XXXXXX", line[200];
	struct memory memory = {0};
	struct symbols *symbols = symbols_create();
	struct hits *hits = hits_create(symbols, &memory);
	uint64_t retired = 0, sum = 0, rows = 0;
	unsigned long long count, rip, hpa;
	FILE *file;

	for (unsigned round = 0; round < ROUNDS; round++)
		for (unsigned i = 0; i < ADDRESSES; i++) {
			hits_at(hits, CODE + i, i % 7 * 4096, 1, retired);
			retired += i % 2; /* every second instruction faults or exits */
		}
	hits_end(hits, retired);
	assert_int_equal(hits_lost(hits), 0);
	close(mkstemp(path));
	assert_true(hits_write(hits, path));
	file = fopen(path, "r");
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%llu %llx %llx", &count, &rip, &hpa) != 3)
			continue;
		assert_int_equal(count, ROUNDS);
		assert_int_equal(hpa, (rip - CODE) % 7 * 4096);
		sum += count;
		rows++;
	}
	fclose(file);
	unlink(path);
	assert_int_equal(sum, retired);
	assert_int_equal(rows, ADDRESSES / 2);
	hits_free(hits);
	symbols_free(symbols);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_come_from_the_image_with_these_bytes),
		cmocka_unit_test(damaged_images_do_no_harm),
		cmocka_unit_test(counts_survive_growth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
