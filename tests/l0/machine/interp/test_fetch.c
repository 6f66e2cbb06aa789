/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Page faults of instruction fetch on the whole engine: CR2 is the address of the byte that could
 * not be fetched, also in the second page of an instruction (SDM 3A "Control Registers", CR2).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/l0/machine/interp/whole.h"

#define RAM_SIZE (UINT64_C(4) << 20)
#define CODE UINT64_C(0x100000)
#define MAPPED (UINT64_C(2) << 20) /* linear addresses from here on are not */

/* mov $target, %eax; jmp *%rax */
static const uint8_t jump[] = { 0xb8, 0, 0, 0, 0, 0xff, 0xe0 };

static struct machine machine;

/* Jumps to `target`; there is no IDT, so the page fault there ends as a triple fault. */
static uint64_t cr2_after_jump(uint32_t target)
{
	uint64_t cr2;

	whole_create(&machine, RAM_SIZE);
	whole_put(&machine, CODE, jump, sizeof(jump));
	whole_put(&machine, CODE + 1, &target, sizeof(target));
	whole_put(&machine, MAPPED - 2, "\xb8\x01",
		  2); /* MOV EAX, imm32: three bytes on the next page */
	whole_boot_long64(&machine, MAPPED, CODE, CODE);
	machine.max_insns = 100;
	interp_cpu_ops.run(machine.cpu);
	assert_int_equal(machine.stop, STOP_TRIPLE_FAULT);
	cr2 = machine.cpu->cr2;
	machine_free(&machine);
	return cr2;
}

static void test_first_byte(void **state)
{
	assert_int_equal(cr2_after_jump(0x40000123), 0x40000123);
	assert_int_equal(cr2_after_jump(0x40000000), 0x40000000);
	assert_int_equal(cr2_after_jump(0x40000fff), 0x40000fff);
}

static void test_second_page(void **state)
{
	assert_int_equal(cr2_after_jump(MAPPED - 2), MAPPED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_byte),
		cmocka_unit_test(test_second_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
