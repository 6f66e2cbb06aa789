/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Any bytes as code, in each mode with whatever features the part has: decoder, block builder,
 * engine, faults.
 *
 *   mode (1), features (2): guest.h
 *   a byte for each general register but RSP
 *   n, then n times, at most 16: page (1), offset / 8 (2), value (8)
 *   code, whose last byte chooses the part, too
 */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/guest.h"

void fuzz_code(const uint8_t *bytes, size_t size)
{
	struct machine *machine = fuzz_machine(bytes, size);
	unsigned mode = fuzz_take(&bytes, &size, 1);
	unsigned features = fuzz_take(&bytes, &size, 2);

	guest_build(machine, mode);
	guest_enter(machine->cpu, mode, features);
	for (unsigned i = 0; i < REG_COUNT; i++)
		if (i != REG_RSP)
			machine->cpu->gpr[i] = guest_value(mode, fuzz_take(&bytes, &size, 1));
	fuzz_pokes(machine, &bytes, &size);
	guest_code(machine, bytes, size);
	fuzz_run(machine);
}
