/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Headers of multiboot images: ELF32 and ELF64 by their program headers, others by the multiboot
 * header's address fields (Multiboot Specification, "The address fields of Multiboot header").
 * Offsets come from a file that may be anything: none is believed before it is compared.
 */
#include "l0/hv/loader.h"

#include "l0/hv/hv.h"
#include "l0/hv/multiboot.h"

#define ELF_MAGIC UINT32_C(0x464c457f)
#define ELF_CLASS_32 1
#define ELF_CLASS_64 2
#define PT_LOAD 1

struct elf32_header {
	uint32_t magic;
	uint8_t class, rest[11];
	uint16_t type, machine;
	uint32_t version, entry, phoff, shoff, flags;
	uint16_t ehsize, phentsize, phnum;
};

struct elf64_header {
	uint32_t magic;
	uint8_t class, rest[11];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum;
};

struct elf32_segment {
	uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};

struct elf64_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

/* Either class, widened. */
struct elf {
	const uint8_t *start;
	uint64_t size, entry, phoff;
	unsigned phnum, phentsize;
	bool wide;
};

static bool elf_open(struct elf *elf, const uint8_t *start, uint64_t size)
{
	const struct elf32_header *narrow = (const void *)start;
	const struct elf64_header *wide = (const void *)start;

	if (size < sizeof(*wide) || narrow->magic != ELF_MAGIC)
		return false;
	*elf = (struct elf){.start = start, .size = size, .wide = narrow->class == ELF_CLASS_64};
	elf->entry = elf->wide ? wide->entry : narrow->entry;
	elf->phoff = elf->wide ? wide->phoff : narrow->phoff;
	elf->phnum = elf->wide ? wide->phnum : narrow->phnum;
	elf->phentsize = elf->wide ? wide->phentsize : narrow->phentsize;
	return (elf->wide || narrow->class == ELF_CLASS_32) &&
	       elf->phentsize >= (elf->wide ? sizeof(struct elf64_segment)
					    : sizeof(struct elf32_segment)) &&
	       elf->phoff <= size && (uint64_t)elf->phnum * elf->phentsize <= size - elf->phoff;
}

static struct elf64_segment elf_segment(const struct elf *elf, unsigned i)
{
	const uint8_t *at = elf->start + elf->phoff + i * elf->phentsize;
	const struct elf32_segment *narrow = (const void *)at;

	if (elf->wide)
		return *(const struct elf64_segment *)at;
	return (struct elf64_segment){
		.type = narrow->type,
		.offset = narrow->offset,
		.vaddr = narrow->vaddr,
		.paddr = narrow->paddr,
		.filesz = narrow->filesz,
		.memsz = narrow->memsz,
	};
}

static bool add_segment(struct image *image, const struct image_segment *segment, uint64_t size)
{
	if (image->segment_count == IMAGE_SEGMENTS_MAX || segment->file > size ||
	    segment->file_size > size - segment->file ||
	    segment->file_size > segment->memory_size ||
	    segment->address + segment->memory_size < segment->address)
		return false;
	image->segments[image->segment_count++] = *segment;
	return true;
}

/* The entry point of an ELF image is virtual; what runs is its physical place. */
static bool elf_parse(struct image *image, const struct elf *elf)
{
	image->entry = elf->entry;
	for (unsigned i = 0; i < elf->phnum; i++) {
		struct elf64_segment from = elf_segment(elf, i);
		struct image_segment to = {.file = from.offset,
					   .address = from.paddr,
					   .file_size = from.filesz,
					   .memory_size = from.memsz};

		if (from.type != PT_LOAD || !from.memsz)
			continue;
		if (!add_segment(image, &to, elf->size))
			return false;
		if (elf->entry >= from.vaddr && elf->entry - from.vaddr < from.memsz)
			image->entry = elf->entry - from.vaddr + from.paddr;
	}
	return image->segment_count > 0;
}

static const struct multiboot_header *find_header(const uint8_t *start, uint64_t size)
{
	uint64_t limit = size < MULTIBOOT_HEADER_SEARCH ? size : MULTIBOOT_HEADER_SEARCH;

	for (uint64_t at = 0; at + 12 <= limit; at += 4) {
		const struct multiboot_header *header = (const void *)(start + at);

		if (header->magic == MULTIBOOT_HEADER_MAGIC &&
		    header->magic + header->flags + header->checksum == 0)
			return header;
	}
	return NULL;
}

/* load_end_addr 0: the whole file; bss_end_addr 0: no bss. */
static bool addresses_parse(struct image *image, const struct multiboot_header *header,
			    const uint8_t *start, uint64_t size)
{
	uint64_t at = (uint64_t)((const uint8_t *)header - start);
	struct image_segment segment = {.address = header->load_addr};

	if (at + sizeof(*header) > size || header->header_addr < header->load_addr ||
	    header->header_addr - header->load_addr > at)
		return false;
	segment.file = at - (header->header_addr - header->load_addr);
	segment.file_size = header->load_end_addr ? header->load_end_addr - header->load_addr
						  : size - segment.file;
	segment.memory_size = segment.file_size;
	if (header->bss_end_addr > header->load_addr + segment.file_size)
		segment.memory_size = header->bss_end_addr - header->load_addr;
	image->entry = header->entry_addr;
	return add_segment(image, &segment, size);
}

bool image_parse(struct image *image, const uint8_t *start, const uint8_t *end)
{
	uint64_t size = (uint64_t)(end - start);
	const struct multiboot_header *header = find_header(start, size);
	struct elf elf;

	*image = (struct image){0};
	if (!header)
		return false;
	if (header->flags & MULTIBOOT_HEADER_ADDRESSES)
		return addresses_parse(image, header, start, size);
	return elf_open(&elf, start, size) && elf_parse(image, &elf);
}
