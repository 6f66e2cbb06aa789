/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Any bytes as code, in each mode that a loader starts: decoder, block builder, engine, faults
 * through whatever IDT there is. The first byte chooses the mode, the next 16 fill registers, the
 * last one chooses the part, too.
 */
#include <assert.h>

#include "l0/machine/boot.h"
#include "tests/fuzz/fuzz.h"
#include "tests/l0/machine/interp/whole.h"

#define RAM (UINT64_C(2) << 20)
#define CODE UINT64_C(0x8000)
#define STACK UINT64_C(0x7000)
#define CODE_MAX 512

static void boot(struct machine *machine, unsigned mode)
{
	struct cpu_boot_state state = { .mode = BOOT_REAL, .rip = CODE, .rsp = STACK };

	if (mode % 3 == 2) {
		whole_boot_long64(machine, RAM, CODE, STACK);
		return;
	}
	if (mode % 3 == 1) {
		state.mode = BOOT_PROTECTED32;
		state.gdt_base = WHOLE_GDT;
		state.gdt_limit = 0x1f;
		whole_put64(machine, WHOLE_GDT + 0x10, UINT64_C(0x00cf9b000000ffff));
		whole_put64(machine, WHOLE_GDT + 0x18, UINT64_C(0x00cf93000000ffff));
	}
	interp_cpu_ops.boot(machine->cpu, &state);
}

static void enable_vectors(struct cpu *cpu)
{
	cpu->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
	cpu->xcr0 = 7;
	cpu_mode_changed(cpu);
}

void fuzz_code(const uint8_t *bytes, size_t size)
{
	struct machine machine;
	unsigned mode = fuzz_take(&bytes, &size, 1);

	whole_create_part(&machine, RAM, fuzz_part(bytes, size));
	boot(&machine, mode);
	enable_vectors(machine.cpu);
	for (unsigned i = 0; i < 16; i++)
		if (i != REG_RSP)
			machine.cpu->gpr[i] =
			    CODE + fuzz_take(&bytes, &size, 1) * (mode & 0x80 ? 0x101 : 8);
	if (size)
		whole_put(&machine, CODE, bytes, size < CODE_MAX ? size : CODE_MAX);
	fuzz_run(&machine);
	assert(machine.stop != STOP_NONE);
	machine_free(&machine);
}
