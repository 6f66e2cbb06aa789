/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The machine that tests of the engine share.
 */
#include "tests/l0/machine/interp/whole.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "l0/machine/boot.h"

void whole_create_part(struct machine *machine, uint64_t ram, const char *profile)
{
	memset(machine, 0, sizeof(*machine));
	assert_true(machine_init(machine, ram, "/dev/null"));
	machine->cpu_ops = &interp_cpu_ops;
	machine->cpu = interp_cpu_ops.create(machine, profile);
	assert_non_null(machine->cpu);
}

void whole_create(struct machine *machine, uint64_t ram)
{
	whole_create_part(machine, ram, NULL);
}

void whole_put(struct machine *machine, uint64_t at, const void *bytes, size_t size)
{
	assert_true(memory_write(&machine->memory, at, bytes, size));
}

void whole_put64(struct machine *machine, uint64_t at, uint64_t value)
{
	whole_put(machine, at, &value, sizeof(value));
}

void whole_boot_long64(struct machine *machine, uint64_t mapped, uint64_t rip, uint64_t rsp)
{
	struct cpu_boot_state boot = {.mode = BOOT_LONG64,
				      .rip = rip,
				      .rsp = rsp,
				      .cr3 = WHOLE_TABLES,
				      .gdt_base = WHOLE_GDT,
				      .gdt_limit = 0x1f};

	whole_put64(machine, WHOLE_TABLES, (WHOLE_TABLES + 0x1000) | 7);
	whole_put64(machine, WHOLE_TABLES + 0x1000, WHOLE_DIRECTORY | 7);
	for (uint64_t i = 0; i < mapped >> 21; i++)
		whole_put64(machine, WHOLE_DIRECTORY + 8 * i, i << 21 | 0x87);
	whole_put64(machine, WHOLE_GDT + 0x10, UINT64_C(0x00af9b000000ffff));
	whole_put64(machine, WHOLE_GDT + 0x18, UINT64_C(0x00cf93000000ffff));
	interp_cpu_ops.boot(machine->cpu, &boot);
}
