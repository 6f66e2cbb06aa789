/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMX with any VMCS: a host that launches a guest in one of guest.h's modes, does something between
 * exits and resumes, past the instruction that exited; any controls over structures that are right,
 * then anything over all of it.
 *
 *   mode (1), features (2): guest.h; settings (2): vmx_setup.h
 *   n, then n times, at most 32: a control: word in 7:5, bit in 4:0
 *   n, then n times: field number (1), value (8)
 *   pokes as in code.c
 *   n, then n times, at most STEPS: a step of the host: what (1), field number (1), value (8)
 *   8 registers, a byte each
 *   guest code, whose last byte chooses the part, too
 */
#include <string.h>

#include "l0/machine/hang.h"
#include "l0/machine/levels.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/guest.h"
#include "tests/fuzz/vmx_setup.h"

static void take_controls(struct vmx_setup *setup, const uint8_t **bytes, size_t *size)
{
	for (unsigned n = fuzz_take(bytes, size, 1) % 33; n; n--) {
		unsigned byte = fuzz_take(bytes, size, 1);

		setup->control[(byte >> 5) % VMX_WORDS] ^= BIT32(byte & 31);
	}
}

static void take_fields(struct vmcs *vmcs, const uint8_t **bytes, size_t *size)
{
	for (unsigned n = fuzz_take(bytes, size, 1); n; n--) {
		unsigned field = fuzz_take(bytes, size, 1) % VMCS_FIELD_COUNT;

		vmcs->field[field] = fuzz_take(bytes, size, 8);
	}
}

static void take_steps(struct machine *machine, const uint8_t **bytes, size_t *size)
{
	unsigned steps = fuzz_take(bytes, size, 1) % (VMX_STEPS + 1);

	for (unsigned step = 0; step < VMX_STEPS; step++) {
		struct vmx_step what = { .what = VMX_STEP_NOTHING };

		if (step < steps) {
			what.what = fuzz_take(bytes, size, 1) % VMX_STEP_COUNT;
			what.field = fuzz_take(bytes, size, 1) % VMCS_FIELD_COUNT;
			what.value = fuzz_take(bytes, size, 8);
		}
		vmx_host_step(machine, step, &what);
	}
}

/* As `abyme run` has them. */
static void observe(struct machine *machine)
{
	machine->levels = machine_alloc(machine, sizeof(*machine->levels));
	machine->hang = machine_alloc(machine, sizeof(*machine->hang));
	machine->hang->limit = 100;
}

void fuzz_vmx(const uint8_t *bytes, size_t size)
{
	struct machine *machine = fuzz_machine(bytes, size);
	struct vmx_setup setup = {
		.mode = fuzz_take(&bytes, &size, 1),
		.features = fuzz_take(&bytes, &size, 2),
		.settings = fuzz_take(&bytes, &size, 2),
	};

	if (setup.settings & VMX_OBSERVED)
		observe(machine);
	guest_build(machine, setup.mode);
	take_controls(&setup, &bytes, &size);
	take_fields(vmx_vmcs_build(machine, &setup), &bytes, &size);
	vmx_host_build(machine);
	fuzz_pokes(machine, &bytes, &size);
	take_steps(machine, &bytes, &size);
	vmx_host_enter(machine->cpu, &setup);
	for (unsigned i = 0; i < 8; i++)
		if (i != REG_RSP)
			machine->cpu->gpr[i] = guest_value(setup.mode, fuzz_take(&bytes, &size, 1));
	guest_code(machine, bytes, size);
	fuzz_run(machine);
}
