/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Any bytes as an image, with themselves as a module and as initial RAM disk: refused with one
 * line, or loaded within RAM.
 */
#include <assert.h>
#include <string.h>

#include "l0/machine/boot.h"
#include "l0/machine/firmware.h"
#include "l0/machine/load.h"
#include "l0/machine/machine.h"
#include "tests/fuzz/fuzz.h"

static uint64_t no_time(struct cpu *cpu)
{
	return 0;
}

static void no_poke(struct cpu *cpu)
{
}

static void no_cpu(struct cpu *cpu)
{
}

static const struct cpu_ops ops = { .name = "none", .now = no_time, .poke = no_poke,
				    .destroy = no_cpu };

void fuzz_load(const uint8_t *bytes, size_t size)
{
	struct machine machine;
	struct cpu_boot_state state = { 0 };
	struct load_error error = { 0 };
	const struct load_file self = { fuzz_file(bytes, size), "arguments" };
	struct load_request request = { .image = self };

	if (!machine_init(&machine, UINT64_C(16) << 20, "/dev/null"))
		return;
	machine.cpu_ops = &ops;
	firmware_build(&machine);
	if (size && bytes[size - 1] & 1) {
		request.modules = &self;
		request.module_count = 1;
		request.initrd = self.path;
	}
	if (!load_boot(&machine, &request, &state, &error)) {
		assert(error.status && *error.text && !strchr(error.text, '\n'));
		assert(memchr(error.text, 0, sizeof(error.text)));
	} else {
		assert(memory_at(&machine.memory, state.rip));
	}
	machine_free(&machine);
	fuzz_file_end();
}
