/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a loader's image finds in the CPU: the state after firmware, not the one after power-up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "l0/machine/boot.h"
#include "l0/machine/interp/sys.h"
#include "tests/l0/machine/interp/whole.h"

static unsigned control_word(const struct cpu *cpu)
{
	return cpu->xsave_area[0] | cpu->xsave_area[1] << 8;
}

static unsigned mxcsr(const struct cpu *cpu)
{
	return cpu->xsave_area[24] | cpu->xsave_area[25] << 8;
}

/* SDM 3A "Initial State of the CPU": all x87 exceptions unmasked. */
static void power_up(void **state)
{
	struct machine machine;

	whole_create(&machine, UINT64_C(2) << 20);
	cpu_reset(machine.cpu, false);
	assert_int_equal(control_word(machine.cpu), 0x40);
	assert_int_equal(mxcsr(machine.cpu), 0x1f80);
	assert_true(machine.cpu->cr0 & CR0_CD);
	machine_free(&machine);
}

static void after_firmware(void **state)
{
	static const enum boot_mode modes[] = { BOOT_REAL, BOOT_PROTECTED32, BOOT_LONG64 };

	for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct cpu_boot_state boot = {.mode = modes[i],
					      .rip = 0x8000,
					      .rsp = 0x7000,
					      .rax = 0x11,
					      .rbx = 0x22,
					      .rsi = 0x33,
					      .cr3 = 0x1000};
		struct machine machine;

		whole_create(&machine, UINT64_C(2) << 20);
		assert_true(interp_cpu_ops.boot(machine.cpu, &boot));
		struct cpu *cpu = machine.cpu;
		assert_int_equal(control_word(cpu), 0x37f);
		assert_int_equal(cpu->xsave_area[4], 0); /* every register is empty */
		assert_int_equal(mxcsr(cpu), 0x1f80);
		assert_false(cpu->cr0 & (CR0_CD | CR0_NW));
		assert_int_equal(!!(cpu->cr0 & CR0_PE), modes[i] != BOOT_REAL);
		assert_int_equal(!!(cpu->efer & EFER_LMA), modes[i] == BOOT_LONG64);
		assert_int_equal(cpu->seg[SEG_CS].base + cpu_rip(cpu), 0x8000);
		assert_int_equal(cpu->gpr[REG_RAX], 0x11);
		assert_int_equal(cpu->gpr[REG_RBX], 0x22);
		assert_int_equal(cpu->gpr[REG_RSI], 0x33);
		assert_int_equal(cpu->gpr[REG_RSP], 0x7000);
		machine_free(&machine);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(power_up),
		cmocka_unit_test(after_firmware),
	};
	return cmocka_run_group_tests_name("boot", tests, NULL, NULL);
}
