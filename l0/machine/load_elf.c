/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ELF executables, both classes, little-endian; every offset is checked against the file before
 * use.
 */
#include <elf.h>
#include <string.h>

#include "l0/machine/command.h"
#include "l0/machine/load.h"
#include "l0/machine/machine.h"

/* What the two classes have in common, widened. */
struct elf {
	const struct file *file;
	bool is64;
	uint64_t entry, phoff;
	unsigned phentsize, phnum;
};

bool elf_claims(const struct file *file)
{
	return file->size >= SELFMAG && !memcmp(file->data, ELFMAG, SELFMAG);
}

static bool elf_bad(const struct file *file, struct load_error *error, const char *why)
{
	return load_fail(error, STATUS_BAD_IMAGE, "%s: %s", file->path, why);
}

static bool elf_header(struct elf *elf, const struct file *file, struct load_error *error)
{
	Elf32_Ehdr h32;
	Elf64_Ehdr h64;

	*elf = (struct elf){ .file = file };
	if (file->size < EI_NIDENT)
		return elf_bad(file, error, "truncated ELF header");
	elf->is64 = file->data[EI_CLASS] == ELFCLASS64;
	if ((!elf->is64 && file->data[EI_CLASS] != ELFCLASS32) ||
	    file->data[EI_DATA] != ELFDATA2LSB)
		return elf_bad(file, error, "not a little-endian ELF32 or ELF64 file");
	if (file->size < (elf->is64 ? sizeof(h64) : sizeof(h32)))
		return elf_bad(file, error, "truncated ELF header");
	memcpy(&h32, file->data, sizeof(h32));
	if (h32.e_type != ET_EXEC || h32.e_machine != (elf->is64 ? EM_X86_64 : EM_386))
		return elf_bad(file, error, "not an executable for i386 or x86-64");
	elf->entry = h32.e_entry;
	elf->phoff = h32.e_phoff;
	elf->phentsize = h32.e_phentsize;
	elf->phnum = h32.e_phnum;
	if (elf->is64) {
		memcpy(&h64, file->data, sizeof(h64));
		elf->entry = h64.e_entry;
		elf->phoff = h64.e_phoff;
		elf->phentsize = h64.e_phentsize;
		elf->phnum = h64.e_phnum;
	}
	return true;
}

/* Program header `i` in ELF64 form; false: outside the file. */
static bool elf_segment(const struct elf *elf, unsigned i, Elf64_Phdr *segment)
{
	size_t need = elf->is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	uint64_t offset = elf->phoff + (uint64_t)i * elf->phentsize;
	Elf32_Phdr s32;

	if (elf->phentsize < need || offset < elf->phoff || offset > elf->file->size ||
	    elf->file->size - offset < need)
		return false;
	if (elf->is64) {
		memcpy(segment, elf->file->data + offset, sizeof(*segment));
		return true;
	}
	memcpy(&s32, elf->file->data + offset, sizeof(s32));
	*segment = (Elf64_Phdr){ .p_type = s32.p_type, .p_offset = s32.p_offset,
				 .p_vaddr = s32.p_vaddr, .p_paddr = s32.p_paddr,
				 .p_filesz = s32.p_filesz, .p_memsz = s32.p_memsz };
	return true;
}

/* Copies one segment; the rest of it is zero already, as RAM is. */
static bool segment_load(struct load_map *map, const struct file *file, const Elf64_Phdr *segment,
			 struct load_error *error)
{
	if (segment->p_filesz > segment->p_memsz)
		return elf_bad(file, error, "a segment is larger in the file than in memory");
	if (segment->p_offset > file->size || segment->p_filesz > file->size - segment->p_offset)
		return elf_bad(file, error, "truncated: a segment lies beyond the end of the file");
	if (!load_map_take(map, segment->p_paddr, segment->p_memsz, "an ELF segment", error))
		return false;
	return memory_write(&map->machine->memory, segment->p_paddr,
			    file->data + segment->p_offset, segment->p_filesz);
}

bool elf_load(struct load_map *map, const struct file *file, uint64_t *entry, uint64_t *end,
	      struct load_error *error)
{
	struct elf elf;
	Elf64_Phdr segment;
	bool entry_found = false;

	if (!elf_header(&elf, file, error))
		return false;
	*end = 0;
	for (unsigned i = 0; i < elf.phnum; i++) {
		if (!elf_segment(&elf, i, &segment))
			return elf_bad(file, error, "truncated program headers");
		if (segment.p_type != PT_LOAD || !segment.p_memsz)
			continue;
		if (!segment_load(map, file, &segment, error))
			return false;
		if (segment.p_paddr + segment.p_memsz > *end)
			*end = segment.p_paddr + segment.p_memsz;
		/* Paging is off at the entry point, so a virtual entry means its physical place. */
		if (elf.entry - segment.p_vaddr < segment.p_memsz && !entry_found) {
			*entry = elf.entry - segment.p_vaddr + segment.p_paddr;
			entry_found = true;
		}
	}
	if (!entry_found)
		return elf_bad(file, error, "the entry point is in no loaded segment");
	return true;
}
