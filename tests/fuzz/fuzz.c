/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the fuzz targets share.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "l0/machine/hits.h"
#include "l0/machine/machine.h"
#include "l0/machine/symbols.h"
#include "tests/fuzz/guest.h"

#define POKES_MAX 16
#define RUN_CYCLES 300000

const struct fuzz_target fuzz_targets[] = {
	{ "code", fuzz_code },
	{ "vmx", fuzz_vmx },
	{ "shadow", fuzz_shadow },
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

/* The parts of the profiles, and one with everything. */
static const char *const parts[] = {
#define PROFILE(name, option, ...) option,
#include "l0/machine/interp/profiles.def"
#undef PROFILE
	"sierra-forest,+rtm,+hle,+monitor",
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

const char *fuzz_part(unsigned number)
{
	return number < PARTS ? parts[number] : NULL;
}

bool fuzz_fresh, fuzz_step;
unsigned fuzz_insns = 1000;
struct machine *fuzz_last;
struct trap_log_writer *fuzz_trap_log;
struct watch *fuzz_watch;

static void machine_create(struct machine *machine, const char *part)
{
	if (!machine_init(machine, GUEST_RAM, "/dev/null"))
		abort();
	machine->cpu_ops = &interp_cpu_ops;
	machine->cpu = interp_cpu_ops.create(machine, part);
	if (!machine->cpu)
		abort();
}

/* A profile that nobody reads. */
static struct hits *hits_of(struct machine *machine)
{
	static struct hits *hits;

	if (!hits)
		hits = hits_create(symbols_create(), &machine->memory);
	return hits;
}

struct machine *fuzz_machine(const uint8_t *bytes, size_t size)
{
	static struct machine machines[2][PARTS];
	unsigned part = size ? bytes[size - 1] % PARTS : 0;
	struct machine *machine = &machines[fuzz_fresh][part];

	if (machine->cpu && fuzz_fresh)
		machine_free(machine);
	if (!machine->cpu)
		machine_create(machine, parts[part]);
	else if (!machine_power_cycle(machine))
		abort();
	machine->log = fuzz_trap_log;
	machine->watch = fuzz_watch;
	machine->hits = fuzz_step ? hits_of(machine) : NULL;
	fuzz_last = machine;
	return machine;
}

void fuzz_pokes(struct machine *machine, const uint8_t **bytes, size_t *left)
{
	for (unsigned n = fuzz_take(bytes, left, 1) % (POKES_MAX + 1); n; n--) {
		uint64_t page = fuzz_take(bytes, left, 1);
		uint64_t at = page << PAGE_SHIFT | fuzz_take(bytes, left, 2) % 512 * 8;
		uint64_t value = fuzz_take(bytes, left, 8);

		(void)memory_write(&machine->memory, at, &value, sizeof(value));
	}
}

void fuzz_run(struct machine *machine)
{
	struct event end = { .fire = time_is_up, .opaque = machine };

	machine->max_insns = fuzz_insns;
	machine_schedule(machine, &end, RUN_CYCLES);
	machine->cpu_ops->run(machine->cpu);
	machine_cancel(machine, &end);
	assert(machine->stop != STOP_NONE);
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
