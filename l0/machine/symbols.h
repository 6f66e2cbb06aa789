/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The code symbols of images, to give addresses names. An image is named by its file; one that is
 * no ELF64 file or has no symbol table is known by nothing.
 */
#ifndef L0_MACHINE_SYMBOLS_H
#define L0_MACHINE_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbol {
	uint64_t start, end; /* linked addresses, end exclusive */
	uint64_t offset;     /* of its bytes in the file */
	const char *name;
	unsigned image; /* for symbols_image_name() */
};

struct symbols;

/* NULL: no memory. */
struct symbols *symbols_create(void);
void symbols_free(struct symbols *symbols);
/* Reads an image, unless it has been read already. False: it adds no symbols. */
bool symbols_add_image(struct symbols *symbols, const char *path);
/* The symbol at `address` of which the file has the same bytes as `code`, `length` of them: that
 * tells two images apart that are linked to the same place. NULL: none. */
const struct symbol *symbols_find(const struct symbols *symbols, uint64_t address,
				  const uint8_t *code, unsigned length);
/* The file's name without its folder. */
const char *symbols_image_name(const struct symbols *symbols, unsigned image);

#endif
