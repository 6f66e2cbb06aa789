/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The command line of `abyme run`.
 */
#ifndef L0_MACHINE_OPTIONS_H
#define L0_MACHINE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "l0/machine/devices/platform.h"
#include "l0/machine/load.h"

#define MODULES_MAX 32
#define DEVICES_MAX 8
#define SYMBOLS_MAX 16
#define DEPTH_MAX 1000 /* guards against typing errors only; nothing is sized by it */
#define MEM_MIN (UINT64_C(2) << 20)

struct run_options {
	const char *machine, *stack, *cpu, *initrd, *append, *hv, *hv_append;
	const char *serial, *trace, *stats, *profile; /* NULL: stdio, off, off, off */
	const char *image;
	unsigned depth;
	uint64_t mem, max_insns, hang;
	unsigned watch; /* mask of 1 << enum watch_event */
	int gdb;        /* port; -1: no debugger */
	bool report;    /* at a bad end, the state of every level */
	const char *symbols[SYMBOLS_MAX];
	unsigned symbols_count;
	struct load_file modules[MODULES_MAX];
	unsigned module_count;
	device_creator devices[DEVICES_MAX];
	unsigned device_count;
};

/* Returns -1 to go on, or the status to exit with: --help was printed, or one line on stderr.
 * Strings point into argv, which is modified. */
int run_options_parse(int argc, char **argv, struct run_options *options);

/* "64K", "1M", "2G" in units of `kilo`; false: not a number, or too large. */
bool parse_size(const char *text, unsigned kilo, uint64_t *value);

/* The images from the machine upwards, and what each is given. */
struct stack {
	struct load_request request;
	struct load_file *files; /* request.modules is in here */
	char *text;              /* names that had to be made */
	unsigned depth;          /* images below the top one */
};
bool stack_build(const struct run_options *options, struct stack *stack, struct load_error *error)
	__attribute__((warn_unused_result));
void stack_free(struct stack *stack);

#endif
