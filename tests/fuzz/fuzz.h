/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Fuzz targets: each takes any bytes and must return, whatever they are. What is asserted is
 * little; sanitizers watch the rest. `make fuzz` runs them under libFuzzer, test_fuzz.c under
 * cmocka.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct machine;
struct trap_log_writer;
struct watch;

typedef void fuzz_target_run(const uint8_t *bytes, size_t size);
struct fuzz_target {
	const char *name;
	fuzz_target_run *run;
};
extern const struct fuzz_target fuzz_targets[];
extern const unsigned fuzz_target_count;

void fuzz_code(const uint8_t *bytes, size_t size); /* decoder and engine: instructions */
void fuzz_vmx(const uint8_t *bytes, size_t size);  /* VMCS contents, then guest instructions */
void fuzz_shadow(const uint8_t *bytes, size_t size); /* nested VMX, over a fake machine */
void fuzz_load(const uint8_t *bytes, size_t size); /* an image and a module */
void fuzz_log(const uint8_t *bytes, size_t size);  /* a trap log */

/* Words of a dictionary for libFuzzer, for `code` and `vmx`. */
void fuzz_dictionary(FILE *out);

/* ---- between the targets ---- */

/* Takes an integer of `size` bytes off the front; 0s once they are used up. */
uint64_t fuzz_take(const uint8_t **bytes, size_t *left, unsigned size);
/* A machine of the part that the last byte chooses, at power-on. Each part has one that is
 * power-cycled between inputs, and another, for fuzz_fresh, that is made anew for each. */
struct machine *fuzz_machine(const uint8_t *bytes, size_t size);
extern bool fuzz_fresh;
/* Machines execute one instruction at a time, as with --profile. */
extern bool fuzz_step;
/* Parts, as --cpu names them. */
const char *fuzz_part(unsigned number);
/* The machine of the last input; NULL: it had none. */
extern struct machine *fuzz_last;
/* What machines tell of what happens; NULL: nothing. */
extern struct watch *fuzz_watch;
/* Where machines log VM exits; NULL: nowhere. */
extern struct trap_log_writer *fuzz_trap_log;
/* Words of memory: n, then n times (at most 16): page (1), offset / 8 (2), value (8). */
void fuzz_pokes(struct machine *machine, const uint8_t **bytes, size_t *left);
/* Instructions that a machine is given. */
extern unsigned fuzz_insns;
/* Runs the machine for a bounded time, in instructions and in cycles. */
void fuzz_run(struct machine *machine);
/* A file in memory with these bytes; its path is good until fuzz_file_end(). */
const char *fuzz_file(const uint8_t *bytes, size_t size);
void fuzz_file_end(void);

#endif
