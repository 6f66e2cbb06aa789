/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A whole machine on the interpreter, for tests that run code on it; fixture.h is for single parts.
 */
#ifndef TESTS_L0_MACHINE_INTERP_WHOLE_H
#define TESTS_L0_MACHINE_INTERP_WHOLE_H

#include <stddef.h>
#include <stdint.h>

#include "l0/machine/interp/cpu.h"

/* What whole_boot_long64() uses of the guest's memory. */
#define WHOLE_TABLES UINT64_C(0x1000) /* PML4, PDPT and one page directory */
#define WHOLE_DIRECTORY (WHOLE_TABLES + 0x2000)
#define WHOLE_GDT UINT64_C(0x5000)

/* A fresh machine of the default profile with `ram` bytes; machine_free() ends it. */
void whole_create(struct machine *machine, uint64_t ram);
/* The same of another profile, in the words of --cpu. */
void whole_create_part(struct machine *machine, uint64_t ram, const char *profile);
void whole_put(struct machine *machine, uint64_t at, const void *bytes, size_t size);
void whole_put64(struct machine *machine, uint64_t at, uint64_t value);
/* 64-bit mode at ring 0 with no IDT, the first `mapped` bytes (whole 2 MiB pages, 1 GiB at most)
 * mapped one to one, writable and executable. */
void whole_boot_long64(struct machine *machine, uint64_t mapped, uint64_t rip, uint64_t rsp);

#endif
