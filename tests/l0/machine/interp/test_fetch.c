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

#include "l0/machine/boot.h"
#include "l0/machine/interp/cpu.h"

#define RAM_SIZE (UINT64_C(4) << 20)
#define TABLES UINT64_C(0x1000)
#define GDT UINT64_C(0x5000)
#define CODE UINT64_C(0x100000)
#define MAPPED (UINT64_C(2) << 20) /* linear addresses from here on are not */

/* mov $target, %eax; jmp *%rax */
static const uint8_t jump[] = { 0xb8, 0, 0, 0, 0, 0xff, 0xe0 };

static struct machine machine;

static void put(uint64_t at, const void *bytes, size_t size)
{
	assert_true(memory_write(&machine.memory, at, bytes, size));
}

static void put64(uint64_t at, uint64_t value)
{
	put(at, &value, sizeof(value));
}

/* Jumps to `target`; there is no IDT, so the page fault there ends as a triple fault. */
static uint64_t cr2_after_jump(uint32_t target)
{
	struct cpu_boot_state boot = { .mode = BOOT_LONG64, .rip = CODE, .rsp = CODE, .cr3 = TABLES,
				       .gdt_base = GDT, .gdt_limit = 0x1f };
	uint64_t cr2;

	memset(&machine, 0, sizeof(machine));
	assert_true(machine_init(&machine, RAM_SIZE, "/dev/null"));
	machine.cpu_ops = &interp_cpu_ops;
	machine.cpu = interp_cpu_ops.create(&machine, NULL);
	assert_non_null(machine.cpu);
	put64(TABLES, (TABLES + 0x1000) | 7);
	put64(TABLES + 0x1000, (TABLES + 0x2000) | 7);
	put64(TABLES + 0x2000, 0x87);
	put64(GDT + 0x10, UINT64_C(0x00af9b000000ffff));
	put64(GDT + 0x18, UINT64_C(0x00cf93000000ffff));
	put(CODE, jump, sizeof(jump));
	put(CODE + 1, &target, sizeof(target));
	put(MAPPED - 2, "\xb8\x01", 2); /* MOV EAX, imm32: three bytes on the next page */
	interp_cpu_ops.boot(machine.cpu, &boot);
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
