/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Multiboot images: "Multiboot Specification version 0.6.96", "OS image format"; ELF-32 and ELF-64
 * program headers.
 */
#include "l1/lib/guest_image.h"

#include <stddef.h>

#include "l1/lib/multiboot.h"
#include "l1/lib/string.h"

#define ELF_CLASS64 2
#define PT_LOAD 1

struct elf64 {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum;
};

struct elf32 {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version, entry, phoff, shoff, flags;
	uint16_t ehsize, phentsize, phnum;
};

struct elf64_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz;
};

struct elf32_segment {
	uint32_t type, offset, vaddr, paddr, filesz, memsz;
};

/* One piece to copy and zero-fill, whatever the format. */
struct piece {
	uint64_t offset, filesz, address, memsz;
};

static const struct multiboot_header *find_header(const uint8_t *file, uint64_t size)
{
	uint64_t end = size < MULTIBOOT_HEADER_SEARCH ? size : MULTIBOOT_HEADER_SEARCH;

	for (uint64_t at = 0; at + sizeof(struct multiboot_header) <= end; at += 4) {
		const struct multiboot_header *header = (const void *)(file + at);

		if (header->magic == MULTIBOOT_HEADER_MAGIC &&
		    header->magic + header->flags + header->checksum == 0)
			return header;
	}
	return NULL;
}

static bool is_elf(const uint8_t *file)
{
	return !memcmp(file, "\177ELF", 4);
}

static bool is_elf64(const uint8_t *file)
{
	return file[4] == ELF_CLASS64;
}

/* load_end 0: to the end of the file. bss_end 0: no zeroed memory. */
static struct piece flat_piece(const uint8_t *file, uint64_t size,
			       const struct multiboot_header *header)
{
	uint64_t header_offset = (uint64_t)((const uint8_t *)header - file);
	uint64_t offset = header_offset - (header->header_address - header->load_address);
	uint64_t filesz = header->load_end ? header->load_end - header->load_address
					   : size - offset;
	uint64_t memsz = header->bss_end ? header->bss_end - header->load_address : filesz;

	return (struct piece){offset, filesz, header->load_address, memsz};
}

static bool elf_piece(const uint8_t *file, unsigned index, struct piece *piece)
{
	if (is_elf64(file)) {
		const struct elf64 *elf = (const void *)file;
		const struct elf64_segment *s =
			(const void *)(file + elf->phoff + index * elf->phentsize);

		*piece = (struct piece){s->offset, s->filesz, s->paddr, s->memsz};
		return s->type == PT_LOAD;
	} else {
		const struct elf32 *elf = (const void *)file;
		const struct elf32_segment *s =
			(const void *)(file + elf->phoff + index * elf->phentsize);

		*piece = (struct piece){s->offset, s->filesz, s->paddr, s->memsz};
		return s->type == PT_LOAD;
	}
}

static unsigned elf_count(const uint8_t *file)
{
	return is_elf64(file) ? ((const struct elf64 *)file)->phnum
			      : ((const struct elf32 *)file)->phnum;
}

static bool elf_headers_fit(const uint8_t *file, uint64_t size)
{
	const struct elf64 *elf64 = (const void *)file;
	const struct elf32 *elf32 = (const void *)file;

	if (size < sizeof(struct elf64))
		return false;
	if (is_elf64(file))
		return elf64->phoff <= size && elf64->phentsize >= sizeof(struct elf64_segment) &&
		       elf64->phnum <= (size - elf64->phoff) / elf64->phentsize;
	return elf32->phoff <= size && elf32->phentsize >= sizeof(struct elf32_segment) &&
	       elf32->phnum <= (size - elf32->phoff) / elf32->phentsize;
}

/* Calls visit() for each piece until it returns false. */
static bool for_pieces(const uint8_t *file, uint64_t size, const struct multiboot_header *header,
		       bool (*visit)(void *context, const struct piece *piece), void *context)
{
	struct piece piece;

	if (header->flags & MULTIBOOT_HEADER_ADDRESSES) {
		piece = flat_piece(file, size, header);
		return visit(context, &piece);
	}
	for (unsigned i = 0; i < elf_count(file); i++) {
		if (elf_piece(file, i, &piece) && piece.memsz && !visit(context, &piece))
			return false;
	}
	return true;
}

struct planning {
	struct guest_image *plan;
	uint64_t size;
};

static bool plan_piece(void *context, const struct piece *piece)
{
	struct planning *planning = context;
	uint64_t end = piece->address + piece->memsz;

	if (piece->offset > planning->size || piece->filesz > planning->size - piece->offset ||
	    piece->filesz > piece->memsz || end < piece->address || end > UINT32_MAX)
		return false;
	if (piece->address < planning->plan->low)
		planning->plan->low = piece->address;
	if (end > planning->plan->high)
		planning->plan->high = end;
	return true;
}

const char *guest_image_plan(const void *file, uint64_t size, struct guest_image *plan)
{
	const struct multiboot_header *header = find_header(file, size);
	struct planning planning = {plan, size};

	if (!header)
		return "no multiboot 1 header in the first 8 KiB";
	*plan = (struct guest_image){.low = UINT64_MAX, .header = header};
	if (header->flags & MULTIBOOT_HEADER_ADDRESSES) {
		plan->entry = header->entry;
	} else if (is_elf(file) && elf_headers_fit(file, size)) {
		plan->entry = is_elf64(file) ? ((const struct elf64 *)file)->entry
					     : ((const struct elf32 *)file)->entry;
	} else {
		return "neither address fields nor an ELF";
	}
	if (!for_pieces(file, size, header, plan_piece, &planning) || plan->low >= plan->high)
		return "a segment lies outside the file or above 4 GiB";
	return NULL;
}

static bool load_piece(void *context, const struct piece *piece)
{
	const uint8_t *file = context;

	memcpy((void *)piece->address, file + piece->offset, piece->filesz);
	memset((void *)(piece->address + piece->filesz), 0, piece->memsz - piece->filesz);
	return true;
}

void guest_image_load(const void *file, uint64_t size, const struct guest_image *plan)
{
	for_pieces(file, size, plan->header, load_piece, (void *)(uint64_t)file);
}
