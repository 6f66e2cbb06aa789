/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Fuzz targets: each takes any bytes and must return, whatever they are. What is asserted is
 * little; sanitizers watch the rest. `make fuzz` runs them under libFuzzer, test_fuzz.c under
 * cmocka.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

struct machine;

struct fuzz_target {
	const char *name;
	void (*run)(const uint8_t *bytes, size_t size);
};
extern const struct fuzz_target fuzz_targets[];
extern const unsigned fuzz_target_count;

void fuzz_code(const uint8_t *bytes, size_t size); /* decoder and engine: instructions */
void fuzz_vmx(const uint8_t *bytes, size_t size);  /* VMCS contents, then guest instructions */
void fuzz_load(const uint8_t *bytes, size_t size); /* an image and a module */
void fuzz_log(const uint8_t *bytes, size_t size);  /* a trap log */

/* ---- between the targets ---- */

/* Takes an integer of `size` bytes off the front; 0s once they are used up. */
uint64_t fuzz_take(const uint8_t **bytes, size_t *left, unsigned size);
/* The part to run on, as --cpu names it, by the last byte; NULL: the default. */
const char *fuzz_part(const uint8_t *bytes, size_t size);
/* Runs the machine for a bounded time, in instructions and in cycles. */
void fuzz_run(struct machine *machine);
/* A file in memory with these bytes; its path is good until fuzz_file_end(). */
const char *fuzz_file(const uint8_t *bytes, size_t size);
void fuzz_file_end(void);

#endif
