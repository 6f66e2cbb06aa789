/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Boot loaders: put images into guest RAM and describe the register state in which they start. An
 * image that is damaged, does not fit or overlaps is refused with one line that says so; nothing is
 * guessed.
 */
#ifndef L0_MACHINE_LOAD_H
#define L0_MACHINE_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "l0/machine/boot.h"

struct machine;

/* A file and the text that goes with it: command line of an image, arguments of a module. */
struct load_file {
	const char *path;
	const char *args; /* NULL: none */
};

struct load_request {
	struct load_file image;
	const struct load_file *modules; /* multiboot modules, in order */
	unsigned module_count;
	const char *initrd; /* Linux only; NULL: none */
};

struct load_error {
	int status; /* enum exit_status */
	char text[256];
};

bool load_boot(struct machine *machine, const struct load_request *request,
	       struct cpu_boot_state *state, struct load_error *error)
	__attribute__((warn_unused_result));

/* ---- between the loaders ---- */

/* A file in memory, read only. */
struct file {
	const char *path;
	const uint8_t *data;
	size_t size;
};
bool file_open(struct file *file, const char *path, struct load_error *error)
	__attribute__((warn_unused_result));
void file_close(struct file *file);

/* Guest memory taken so far. */
struct load_range {
	uint64_t start, end;
	const char *what;
};
struct load_map {
	struct machine *machine;
	struct load_range *ranges;
	unsigned count, room;
};
/* RAM, minus what firmware keeps below 1 MiB. False: no memory; to be freed all the same. */
bool load_map_init(struct load_map *map, struct machine *machine);
void load_map_free(struct load_map *map);
/* Takes [start, start + size); false: outside RAM or taken, error says by what. */
bool load_map_take(struct load_map *map, uint64_t start, uint64_t size, const char *what,
		   struct load_error *error) __attribute__((warn_unused_result));
/* The lowest free `size` bytes at or above `from`, page aligned; 0: no room below the PCI hole. */
uint64_t load_map_find(const struct load_map *map, uint64_t from, uint64_t size);

/* Sets text and status; always returns false. */
bool load_fail(struct load_error *error, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The image of each kind that a file can be. claims: true if the file is of that kind at all. */
bool multiboot_claims(const struct file *file);
bool multiboot_load(struct load_map *map, const struct file *file,
		    const struct load_request *request, struct cpu_boot_state *state,
		    struct load_error *error) __attribute__((warn_unused_result));
/* load_sector.c: a boot sector and what lies behind it, for real mode; there is no BIOS under it.
 */
bool sector_claims(const struct file *file);
bool sector_load(struct load_map *map, const struct file *file, const struct load_request *request,
		 struct cpu_boot_state *state, struct load_error *error)
	__attribute__((warn_unused_result));
/* load_linux.c */
bool linux_claims(const struct file *file);
bool linux_load(struct load_map *map, const struct file *file, const struct load_request *request,
		struct cpu_boot_state *state, struct load_error *error)
	__attribute__((warn_unused_result));

/* Loads the PT_LOAD segments of an ELF32 (i386) or ELF64 (x86-64) executable at their physical
 * addresses. *entry: physical address of the entry point; *end: end of the highest segment. */
bool elf_claims(const struct file *file);
bool elf_load(struct load_map *map, const struct file *file, uint64_t *entry, uint64_t *end,
	      struct load_error *error) __attribute__((warn_unused_result));

#endif
