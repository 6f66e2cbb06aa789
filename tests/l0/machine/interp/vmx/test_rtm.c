/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Transactions in VMX non-root operation: what would exit inside one aborts it instead, what exits
 * between its instructions finds the guest at the fallback address, SDM 1 "Runtime Considerations".
 */
#include "tests/l0/machine/interp/vmx/fixture.h"

#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/rtm.h"
#include "l0/machine/interp/sys.h"

enum { FALLBACK = GUEST_ENTRY + 0x100 };

/* In the guest, in a transaction that has stored 7 at OPERAND, where there was 3. */
static void open_transaction(struct fixture *f, void (*set)(struct fixture *f))
{
	start_vmx_with(f, "cascade-lake");
	if (set)
		set(f);
	poke64(f, OPERAND, 3);
	enter(f);
	f->cpu->next_rip = cpu_rip(f->cpu) + 6;
	f->op.imm = FALLBACK - (GUEST_ENTRY + 6);
	assert_false(call(f, insn_xbegin));
	lin_write(f->cpu, OPERAND, 8, 7, MEM_WRITE);
	assert_int_equal(peek64(f, OPERAND), 7);
	assert_true(rtm_active(f->cpu));
}

static void assert_aborted(struct fixture *f, uint64_t rip, uint32_t status)
{
	assert_false(rtm_active(f->cpu));
	assert_int_equal(peek64(f, OPERAND), 3);
	assert_int_equal(f->cpu->gpr[REG_RAX], status);
	assert_int_equal(rip, FALLBACK);
	stop(f);
}

static void everything_exits(struct fixture *f)
{
	SET(f, EXCEPTION_BITMAP, UINT32_MAX);
	ENABLE(f, PRIMARY_CONTROLS, PRIMARY_NMI_WINDOW_EXITING | PRIMARY_MONITOR_TRAP_FLAG);
	ENABLE(f, PIN_BASED_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
}

/* Page faults, which the bitmap names; an exit of an instruction. */
static void test_instructions(void **state)
{
	struct fixture f;

	open_transaction(&f, everything_exits);
	assert_true(ESCAPES(&f, lin_read(f.cpu, UINT64_C(0x8000000000), 8, MEM_READ)));
	assert_true(f.cpu->vmx->nonroot);
	assert_false(f.cpu->event.valid);
	assert_aborted(&f, cpu_rip(f.cpu), 0);

	open_transaction(&f, everything_exits);
	assert_true(ESCAPES(&f, vmx_exit(f.cpu, EXIT_REASON_RDTSC, 0)));
	assert_true(f.cpu->vmx->nonroot);
	assert_aborted(&f, cpu_rip(f.cpu), 0);
}

static void with_ept(struct fixture *f)
{
	poke64(f, EPT_ROOT, (EPT_ROOT + 0x100000) | EPT_RWX);
	poke64(f, EPT_ROOT + 0x100000, EPT_RWX | EPT_PS | EPT_MT_WB);
	secondary(f, SECONDARY_ENABLE_EPT);
	SET(f, EPT_POINTER, EPT_ROOT | EPTP_MT_WB | EPTP_WALK_4);
	poke64(f, PDPT + 8, UINT64_C(0x40000000) | PTE_P | PTE_W | PTE_PS);
}

static void test_ept_violation(void **state)
{
	struct fixture f;

	open_transaction(&f, with_ept);
	assert_true(ESCAPES(&f, lin_read(f.cpu, 0x40000000, 8, MEM_READ)));
	assert_true(f.cpu->vmx->nonroot);
	assert_aborted(&f, cpu_rip(f.cpu), 0);
}

static void test_boundaries(void **state)
{
	static void (*const looks[])(struct cpu *cpu) = {vmx_attend_before_traps,
							  vmx_attend_timer_and_windows, cpu_attend};
	static const enum vmx_exit_reason reasons[] = {
		EXIT_REASON_MONITOR_TRAP_FLAG, EXIT_REASON_NMI_WINDOW,
		EXIT_REASON_EXCEPTION_OR_NMI};

	for (volatile unsigned i = 0; i < 3; i++) {
		struct fixture f;

		open_transaction(&f, everything_exits);
		if (i == 2) {
			f.cpu->nmi_pending = true;
			f.cpu->vmx->primary &= ~(PRIMARY_NMI_WINDOW_EXITING |
						 PRIMARY_MONITOR_TRAP_FLAG);
		} else {
			(void)EXITS_AT_BOUNDARY(&f, looks[i](f.cpu));
			f.cpu->insns++;
		}
		if (f.cpu->vmx->nonroot)
			assert_true(EXITS_AT_BOUNDARY(&f, looks[i](f.cpu)));
		assert_false(f.cpu->vmx->nonroot);
		assert_int_equal(GET(&f, EXIT_REASON), reasons[i]);
		assert_aborted(&f, GET(&f, GUEST_RIP), RTM_RETRY);
	}
}

/* A pending debug exception of a transaction, as a VM exit may have left it. */
static void test_pending_debug(void **state)
{
	struct fixture f;

	start_vmx_with(&f, "cascade-lake");
	SET(&f, GUEST_PENDING_DEBUG_EXCEPTIONS,
	    PENDING_DEBUG_RTM | PENDING_DEBUG_ENABLED_BREAKPOINT);
	SET(&f, EXCEPTION_BITMAP, BIT32(VECTOR_DB));
	enter(&f);
	assert_true(EXITS_AT_BOUNDARY(&f, cpu_attend(f.cpu)));
	assert_int_equal(GET(&f, EXIT_REASON), EXIT_REASON_EXCEPTION_OR_NMI);
	assert_int_equal(GET(&f, EXIT_QUALIFICATION), DR6_RTM);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instructions),
		cmocka_unit_test(test_ept_violation),
		cmocka_unit_test(test_boundaries),
		cmocka_unit_test(test_pending_debug),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
