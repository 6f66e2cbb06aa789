/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Symbol tables of ELF64 images. Every offset is checked against the file before use; assembly
 * symbols have no size, so a symbol reaches to the next one, or to the end of its section.
 */
#include "l0/machine/symbols.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "l0/machine/load.h"

struct image {
	char *path;
	struct file file;
	struct symbol *symbols; /* by address */
	unsigned count;
};

struct symbols {
	struct image *images;
	unsigned count;
};

struct symbols *symbols_create(void)
{
	return calloc(1, sizeof(struct symbols));
}

void symbols_free(struct symbols *symbols)
{
	if (!symbols)
		return;
	for (unsigned i = 0; i < symbols->count; i++) {
		file_close(&symbols->images[i].file);
		free(symbols->images[i].symbols);
		free(symbols->images[i].path);
	}
	free(symbols->images);
	free(symbols);
}

/* `count` elements of `size` bytes at `offset` of the file; structures are aligned as the format
 * asks (8 bytes). NULL: they are not, or not all there. */
static const void *part(const struct file *file, uint64_t offset, uint64_t count, size_t size)
{
	if ((size > 1 && offset % 8) || offset > file->size || count > (file->size - offset) / size)
		return NULL;
	return file->data + offset;
}

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->end < y->end ? 1 : x->end > y->end ? -1 : 0; /* those with a size first */
}

/* Gives the sizeless their ends and leaves one symbol an address. */
static void settle(struct image *image)
{
	unsigned kept = 0;

	qsort(image->symbols, image->count, sizeof(*image->symbols), by_address);
	for (unsigned i = 0; i < image->count; i++) {
		struct symbol *s = &image->symbols[i];

		if (!kept || image->symbols[kept - 1].start != s->start)
			image->symbols[kept++] = *s;
	}
	for (unsigned i = 0; i + 1 < kept; i++)
		if (image->symbols[i].end > image->symbols[i + 1].start ||
		    image->symbols[i].end == image->symbols[i].start)
			image->symbols[i].end = image->symbols[i + 1].start;
	image->count = kept;
}

/* One symbol, if it lies in code. */
static void take(struct image *image, const Elf64_Sym *sym, const Elf64_Shdr *sections,
		 unsigned section_count, const char *names, uint64_t names_size, unsigned index)
{
	unsigned type = ELF64_ST_TYPE(sym->st_info);
	const Elf64_Shdr *section;

	if (sym->st_shndx >= section_count || sym->st_name >= names_size ||
	    (type != STT_FUNC && type != STT_NOTYPE))
		return;
	section = &sections[sym->st_shndx];
	if (!(section->sh_flags & SHF_EXECINSTR) || section->sh_type != SHT_PROGBITS ||
	    sym->st_value - section->sh_addr >= section->sh_size)
		return;
	image->symbols[image->count++] = (struct symbol){
		.start = sym->st_value,
		.end = sym->st_size ? sym->st_value + sym->st_size :
				      section->sh_addr + section->sh_size,
		.offset = section->sh_offset + (sym->st_value - section->sh_addr),
		.name = names + sym->st_name,
		.image = index,
	};
}

static void read_table(struct image *image, const Elf64_Shdr *sections, unsigned count,
		       const Elf64_Shdr *table, unsigned index)
{
	uint64_t n = table->sh_size / sizeof(Elf64_Sym);
	const Elf64_Sym *syms = part(&image->file, table->sh_offset, n, sizeof(*syms));
	const Elf64_Shdr *strings = table->sh_link < count ? &sections[table->sh_link] : NULL;
	const char *names =
		strings ? part(&image->file, strings->sh_offset, strings->sh_size, 1) : NULL;

	if (!syms || !names || !strings->sh_size || names[strings->sh_size - 1])
		return;
	image->symbols = calloc(n ? n : 1, sizeof(*image->symbols));
	for (uint64_t i = 0; image->symbols && i < n; i++)
		take(image, &syms[i], sections, count, names, strings->sh_size, index);
	settle(image);
}

static void read_image(struct image *image, unsigned index)
{
	const Elf64_Ehdr *header = part(&image->file, 0, 1, sizeof(*header));
	const Elf64_Shdr *sections;

	if (!header || !elf_claims(&image->file) || header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_shentsize != sizeof(*sections))
		return;
	sections = part(&image->file, header->e_shoff, header->e_shnum, sizeof(*sections));
	for (unsigned i = 0; sections && i < header->e_shnum && !image->symbols; i++)
		if (sections[i].sh_type == SHT_SYMTAB)
			read_table(image, sections, header->e_shnum, &sections[i], index);
}

bool symbols_add_image(struct symbols *symbols, const char *path)
{
	struct load_error error;
	struct image *images;
	struct image image = {0};

	for (unsigned i = 0; i < symbols->count; i++)
		if (!strcmp(symbols->images[i].path, path))
			return symbols->images[i].count;
	images = reallocarray(symbols->images, symbols->count + 1, sizeof(*images));
	if (!images)
		return false;
	symbols->images = images;
	image.path = strdup(path);
	if (!image.path || !file_open(&image.file, image.path, &error)) {
		free(image.path);
		return false;
	}
	read_image(&image, symbols->count);
	images[symbols->count++] = image;
	return image.count;
}

/* The last symbol that starts at or below the address. */
static const struct symbol *find_in(const struct image *image, uint64_t address)
{
	unsigned low = 0, high = image->count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (image->symbols[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low && address < image->symbols[low - 1].end ? &image->symbols[low - 1] : NULL;
}

const struct symbol *symbols_find(const struct symbols *symbols, uint64_t address,
				  const uint8_t *code, unsigned length)
{
	for (unsigned i = 0; i < symbols->count; i++) {
		const struct symbol *s = find_in(&symbols->images[i], address);
		const uint8_t *bytes =
		    s ? part(&symbols->images[i].file, s->offset + (address - s->start), length, 1)
		      : NULL;

		if (bytes && !memcmp(bytes, code, length))
			return s;
	}
	return NULL;
}

const char *symbols_image_name(const struct symbols *symbols, unsigned image)
{
	const char *path = symbols->images[image].path, *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
