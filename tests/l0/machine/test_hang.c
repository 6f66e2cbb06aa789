/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What is a hang and what is not, from interruptions, returns and retired instructions alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "l0/machine/hang.h"
#include "l0/machine/levels.h"
#include "l0/machine/machine.h"
#include "shadow/sdm/vmx.h"

#define LIMIT 10
#define HERE 0x1000
#define ELSEWHERE 0x2000
#define STACK 0x8000

static struct machine machine;
static struct hang hang;
static struct levels levels;
static uint64_t gpr[REG_COUNT], retired;
static bool guest;

static void poke(struct cpu *cpu)
{
}

static const struct cpu_ops ops = {.poke = poke};

static int setup(void **state)
{
	memset(&machine, 0, sizeof(machine));
	memset(&hang, 0, sizeof(hang));
	memset(&levels, 0, sizeof(levels));
	memset(gpr, 0, sizeof(gpr));
	hang.limit = LIMIT;
	gpr[REG_RSP] = STACK;
	machine.hang = &hang;
	machine.levels = &levels;
	machine.cpu_ops = &ops;
	guest = false;
	retired = 100;
	return 0;
}

static void interrupted_by(uint64_t rip, enum hang_cause cause, uint32_t number, bool reads)
{
	hang_saw_interruption(&machine, &(struct hang_interruption){.guest = guest,
								    .cause = cause,
								    .number = number,
								    .rip = rip,
								    .retired = retired,
								    .gpr = gpr,
								    .reads = reads});
}

static void faults(uint64_t rip)
{
	interrupted_by(rip, HANG_EXCEPTION, VECTOR_GP, false);
	hang_saw_delivery(&machine, retired);
}

/* A handler has worked. */
static void returns(uint64_t rip)
{
	retired += 50;
	hang_saw_return(&machine, guest, rip, gpr[REG_RSP], retired);
}

static void hung(bool yes)
{
	assert_int_equal(machine.stop, yes ? STOP_HANG : STOP_NONE);
}

static void fault_again_and_again(void **state)
{
	for (unsigned i = 0; i < LIMIT; i++) {
		faults(HERE);
		hung(false);
		returns(HERE);
	}
	faults(HERE);
	hung(true);
	assert_non_null(strstr(machine.stop_reason, "L0 is interrupted at 1000"));
	assert_non_null(strstr(machine.stop_reason, "exception 13"));
}

static void an_instruction_retires(void **state)
{
	for (unsigned i = 0; i < 5 * LIMIT; i++) {
		faults(HERE);
		returns(HERE);
		retired++;
	}
	hung(false);
}

static void registers_move_on(void **state)
{
	for (unsigned i = 0; i < 5 * LIMIT; i++) {
		faults(HERE);
		returns(HERE);
		gpr[REG_RCX]--;
	}
	hung(false);
}

/* Over the place, and back to it by a return: nothing retires before it in either case. */
static void helped_over(void **state)
{
	for (unsigned i = 0; i < 5 * LIMIT; i++) {
		faults(HERE);
		returns(HERE + 2);
		retired++;
		returns(HERE);
	}
	hung(false);
}

/* Handlers are interrupted, too, and return on other stacks. */
static void timer_between(void **state)
{
	for (unsigned i = 0; i < 3 * LIMIT; i++) {
		faults(HERE);
		if (i % 3 == 0) {
			retired += 7;
			gpr[REG_RSP] -= 64;
			faults(ELSEWHERE);
			returns(ELSEWHERE);
			gpr[REG_RSP] += 64;
		}
		returns(HERE);
	}
	hung(true);
}

static void sleeps_between(void **state)
{
	for (unsigned i = 0; i < 5 * LIMIT; i++) {
		faults(HERE);
		hang_saw_sleep(&machine, false, retired);
		returns(HERE);
	}
	hung(false);
}

/* Each delivery has pushed a frame. */
static void handler_is_no_code(void **state)
{
	for (unsigned i = 0; i <= LIMIT + 1; i++) {
		faults(HERE);
		gpr[REG_RSP] -= 40;
	}
	hung(true);
}

/* Another stack by a return is another thread. */
static void threads(void **state)
{
	for (unsigned i = 0; i < 5 * LIMIT; i++) {
		faults(HERE);
		gpr[REG_RSP] -= 4096;
		returns(HERE);
	}
	hung(false);
}

static void exits(uint32_t reason, bool reads)
{
	interrupted_by(HERE, HANG_EXIT, reason, reads);
	gpr[REG_RAX]++;
	returns(HERE);
}

static void emulated_and_not_advanced(void **state)
{
	guest = true;
	levels_enter(&levels, 0x1000, 0x1e, 0);
	for (unsigned i = 0; i < 5 * LIMIT; i++)
		exits(EXIT_REASON_IO_INSTRUCTION, false);
	hung(false);
	for (unsigned i = 0; i < LIMIT + 2; i++)
		exits(EXIT_REASON_CPUID, true);
	hung(true);
	assert_non_null(strstr(machine.stop_reason, "L1 is interrupted at 1000"));
	assert_non_null(strstr(machine.stop_reason, "exit CPUID"));
}

/* What one guest is stuck at is nothing to the others. */
static void guests_are_told_apart(void **state)
{
	guest = true;
	for (unsigned i = 0; i < 2 * LIMIT; i++) {
		levels_enter(&levels, 0x1000 * (1 + i % 3), 0x1e, 0);
		exits(EXIT_REASON_CPUID, true);
	}
	hung(false);
	for (unsigned i = 0; i < 3 * LIMIT; i++) {
		levels_enter(&levels, 0x1000 * (1 + i % 3), 0x1e, 0);
		returns(HERE);
		exits(EXIT_REASON_CPUID, true);
	}
	hung(true);
}

static void sleeps_for_ever(void **state)
{
	for (unsigned i = 0; i < 5 * LIMIT; i++)
		hang_saw_sleep(&machine, false, retired);
	for (unsigned i = 0; i < 5 * LIMIT; i++)
		hang_saw_sleep(&machine, true, retired++);
	hung(false);
	for (unsigned i = 0; i <= LIMIT; i++)
		hang_saw_sleep(&machine, true, retired);
	hung(true);
}

static void entry_fails(void **state)
{
	for (unsigned i = 0; i < 5 * LIMIT; i++)
		hang_saw_entry(&machine, 0x1000, i % 2 ? "this" : "that");
	for (unsigned i = 0; i < 5 * LIMIT; i++) {
		hang_saw_entry(&machine, 0x1000, "this");
		hang_saw_entry(&machine, 0x1000, i % 2 ? "this" : NULL);
	}
	hung(false);
	for (unsigned i = 0; i < LIMIT; i++) {
		hang_saw_entry(&machine, 0x1000, "this");
		hang_saw_entry(&machine, 0x2000, NULL);
	}
	hung(true);
}

static void nobody_asks(void **state)
{
	machine.hang = NULL;
	for (unsigned i = 0; i < 5 * LIMIT; i++) {
		faults(HERE);
		returns(HERE);
		hang_saw_sleep(&machine, true, retired);
		hang_saw_entry(&machine, 0x1000, "this");
	}
	hung(false);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(fault_again_and_again, setup),
		cmocka_unit_test_setup(an_instruction_retires, setup),
		cmocka_unit_test_setup(registers_move_on, setup),
		cmocka_unit_test_setup(helped_over, setup),
		cmocka_unit_test_setup(timer_between, setup),
		cmocka_unit_test_setup(sleeps_between, setup),
		cmocka_unit_test_setup(handler_is_no_code, setup),
		cmocka_unit_test_setup(threads, setup),
		cmocka_unit_test_setup(emulated_and_not_advanced, setup),
		cmocka_unit_test_setup(guests_are_told_apart, setup),
		cmocka_unit_test_setup(sleeps_for_ever, setup),
		cmocka_unit_test_setup(entry_fails, setup),
		cmocka_unit_test_setup(nobody_asks, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
