/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Loading a multiboot 1 image that lies in memory as a file: by its address fields, or as an ELF.
 */
#ifndef L1_LIB_GUEST_IMAGE_H
#define L1_LIB_GUEST_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

struct guest_image {
	uint64_t low, high; /* the memory that it will occupy: [low, high) */
	uint64_t entry;
	const struct multiboot_header *header;
};

/* Checks the file and says where it goes, without writing anything. NULL, or why it is refused. */
const char *guest_image_plan(const void *file, uint64_t size, struct guest_image *plan);

/* Copies it there. Precondition: guest_image_plan() accepted it, the file lies outside. */
void guest_image_load(const void *file, uint64_t size, const struct guest_image *plan);

#endif
