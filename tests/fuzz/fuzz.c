/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the fuzz targets share.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "l0/machine/machine.h"

#define RUN_INSNS 3000
#define RUN_CYCLES 3000000

const struct fuzz_target fuzz_targets[] = {
	{ "code", fuzz_code },
	{ "vmx", fuzz_vmx },
	{ "load", fuzz_load },
	{ "log", fuzz_log },
};
const unsigned fuzz_target_count = sizeof(fuzz_targets) / sizeof(fuzz_targets[0]);

uint64_t fuzz_take(const uint8_t **bytes, size_t *left, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size && *left; i++, (*bytes)++, (*left)--)
		value |= (uint64_t) * *bytes << 8 * i;
	return value;
}

static void time_is_up(void *opaque)
{
	machine_stop(opaque, STOP_USER, 0);
}

const char *fuzz_part(const uint8_t *bytes, size_t size)
{
	static const char *const parts[] = {
#define PROFILE(name, option, ...) option,
#include "l0/machine/interp/profiles.def"
#undef PROFILE
	};

	return size ? parts[bytes[size - 1] % (sizeof(parts) / sizeof(parts[0]))] : NULL;
}

void fuzz_run(struct machine *machine)
{
	struct event end = { .fire = time_is_up, .opaque = machine };
	struct cpu_stats stats;

	machine->cpu_ops->stats(machine->cpu, &stats);
	machine->max_insns = stats.instructions + RUN_INSNS;
	machine_schedule(machine, &end, machine_now(machine) + RUN_CYCLES);
	machine->cpu_ops->run(machine->cpu);
	machine_cancel(machine, &end);
}

static int file = -1;

const char *fuzz_file(const uint8_t *bytes, size_t size)
{
	static char path[64];

	file = memfd_create("fuzz", 0);
	if (file < 0 || write(file, bytes, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return path;
}

void fuzz_file_end(void)
{
	close(file);
}
