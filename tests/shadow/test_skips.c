/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What an entry and a reflection skip because it has not changed: cases in which it has, by a way
 * that is easily forgotten. With and without hardware VMCS shadowing.
 */
#include "tests/shadow/fixture.h"

static void start(struct fixture *f)
{
	l1_prepare(f);
	l1_launch(f);
}

static void leave(struct fixture *f)
{
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 7), SHADOW_RESUME_L1);
	SET01(f, GUEST_RIP, L1_RIP);
}

/* Exit information that is the same as last time, after L1 has written something else there. */
static void overwritten_exit_information(void **state)
{
	struct fixture *f = *state;

	start(f);
	leave(f);
	l1_write(f, VMCS_EXIT_QUALIFICATION, 99);
	l1_write(f, VMCS_EXIT_REASON, 98);
	assert_int_equal(l1_read(f, VMCS_EXIT_QUALIFICATION), 99);
	l1_resume(f);
	leave(f);
	assert_int_equal(l1_read(f, VMCS_EXIT_QUALIFICATION), 7);
	assert_int_equal(l1_read(f, VMCS_EXIT_REASON), EXIT_REASON_CPUID);
}

/* The same after a failed entry has left its own there. */
static void exit_information_after_failure(void **state)
{
	struct fixture *f = *state;
	const uint32_t failure =
	    EXIT_REASON_ENTRY_FAILURE_GUEST_STATE | EXIT_REASON_ENTRY_FAILURE;

	start(f);
	leave(f);
	l1_write(f, VMCS_VMCS_LINK_POINTER, 1); /* not aligned */
	for (unsigned i = 0; i < 2; i++) {
		SET01(f, GUEST_RIP, L1_RIP);
		assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_EXIT, failure);
		assert_int_equal(l1_read(f, VMCS_EXIT_QUALIFICATION), 4);
	}
	l1_write(f, VMCS_VMCS_LINK_POINTER, UINT64_MAX);
	SET01(f, GUEST_RIP, L1_RIP);
	l1_resume(f);
	leave(f);
	assert_int_equal(l1_read(f, VMCS_EXIT_QUALIFICATION), 7);
	assert_int_equal(l1_read(f, VMCS_EXIT_REASON), EXIT_REASON_CPUID);
}

/* A region that L1 has filled by itself: exit information in it is what L1 reads until there is
 * some. */
static void exit_information_from_memory(void **state)
{
	struct fixture *f = *state;
	struct vmcs *region;

	l1_prepare(f);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMCLEAR, VMCS_A), SEEN_SUCCEED, 0);
	region = (struct vmcs *)(f->fake.ram + VMCS_A);
	vmcs_set(region, EXIT_QUALIFICATION, 5);
	vmcs_set(region, EXIT_REASON, EXIT_REASON_HLT);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMPTRLD, VMCS_A), SEEN_SUCCEED, 0);
	assert_int_equal(l1_read(f, VMCS_EXIT_QUALIFICATION), 5);
	l1_launch(f);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_EXIT_QUALIFICATION), 0);
	assert_int_equal(l1_read(f, VMCS_EXIT_REASON), EXIT_REASON_CPUID);
}

/* What L1 wrote before an entry that was refused reaches VMCS02 at the next one. */
static void writes_before_a_refusal(void **state)
{
	struct fixture *f = *state;

	start(f);
	leave(f);
	l1_write(f, VMCS_GUEST_RIP, 0x4444);
	l1_write(f, VMCS_EXCEPTION_BITMAP, BIT32(VECTOR_BP));
	l1_write(f, VMCS_HOST_CR3, UINT64_MAX);
	assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_VALID, VMX_ERROR_ENTRY_HOST_STATE);
	l1_write(f, VMCS_HOST_CR3, PML4);
	l1_resume(f);
	assert_int_equal(GET02(f, GUEST_RIP), 0x4444);
	assert_true(GET02(f, EXCEPTION_BITMAP) & BIT32(VECTOR_BP));
}

/* The same register of VMCS02 changed by L2, by L1 to what it was, and by nobody. */
static void back_and_forth(void **state)
{
	struct fixture *f = *state;

	start(f);
	SET02(f, GUEST_CR3, 0x41000);
	leave(f);
	assert_int_equal(l1_read(f, VMCS_GUEST_CR3), 0x41000);
	l1_write(f, VMCS_GUEST_CR3, 0x40000);
	l1_resume(f);
	assert_int_equal(GET02(f, GUEST_CR3), 0x40000);
	leave(f);
	assert_int_equal(l1_read(f, VMCS_GUEST_CR3), 0x40000);
	l1_resume(f);
	assert_int_equal(GET02(f, GUEST_CR3), 0x40000);
	SET02(f, GUEST_CR3, 0x41000);
	leave(f);
	assert_int_equal(l1_read(f, VMCS_GUEST_CR3), 0x41000);
}

/* Two VMCSs with host states of their own, in turns. */
static void two_host_states(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMCLEAR, VMCS_A), SEEN_SUCCEED, 0);
	memcpy(f->fake.ram + VMCS_B, f->fake.ram + VMCS_A, sizeof(struct vmcs));
	for (unsigned i = 0; i < 4; i++) {
		bool b = i & 1;

		assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMPTRLD, b ? VMCS_B : VMCS_A),
			       SEEN_SUCCEED, 0);
		if (i < 2) {
			l1_write(f, VMCS_HOST_GS_BASE, b ? 0xb000 : 0xa000);
			l1_write(f, VMCS_HOST_RSP, b ? 0xbb000 : 0xaa000);
			l1_launch(f);
		} else {
			l1_resume(f);
		}
		leave(f);
		assert_int_equal(GET01(f, GUEST_GS_BASE), b ? 0xb000 : 0xa000);
		assert_int_equal(GET01(f, GUEST_RSP), b ? 0xbb000 : 0xaa000);
	}
}

/* A host field that is written again as it was: what was refused stays refused, and what differs
 * counts. */
static void host_written_again(void **state)
{
	struct fixture *f = *state;
	const uint64_t wrong = UINT64_C(1) << 63;

	start(f);
	leave(f);
	for (unsigned i = 0; i < 2; i++) {
		l1_write(f, VMCS_HOST_RIP, wrong);
		assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_VALID,
			       VMX_ERROR_ENTRY_HOST_STATE);
	}
	for (unsigned i = 0; i < 3; i++) {
		l1_write(f, VMCS_HOST_RIP, L1_RIP);
		l1_write(f, VMCS_HOST_RSP, 0xaa000 + i / 2);
		l1_resume(f);
		leave(f);
		assert_int_equal(GET01(f, GUEST_RSP), 0xaa000 + i / 2);
	}
}

/* FS is unusable in the host state, so its limit does not matter; until L1 makes it usable. */
static void unusable_segment(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	SET01(f, GUEST_FS_ACCESS_RIGHTS, AR_UNUSABLE);
	SET01(f, GUEST_FS_LIMIT, 5);
	l1_launch(f);
	leave(f);
	assert_true(GET01(f, GUEST_FS_ACCESS_RIGHTS) & AR_UNUSABLE);
	SET01(f, GUEST_FS_SELECTOR, 0x33); /* L1 loads it */
	SET01(f, GUEST_FS_ACCESS_RIGHTS, 0xc093);
	SET01(f, GUEST_FS_LIMIT, 0x1234);
	l1_resume(f);
	leave(f);
	assert_int_equal(GET01(f, GUEST_FS_SELECTOR), 0);
	assert_true(GET01(f, GUEST_FS_ACCESS_RIGHTS) & AR_UNUSABLE);
	l1_write(f, VMCS_HOST_FS_SELECTOR, 16);
	SET01(f, GUEST_FS_LIMIT, 0x4321);
	l1_resume(f);
	leave(f);
	assert_int_equal(GET01(f, GUEST_FS_SELECTOR), 16);
	assert_int_equal(GET01(f, GUEST_FS_ACCESS_RIGHTS), 0xc093);
	assert_int_equal(GET01(f, GUEST_FS_LIMIT), UINT32_MAX);
}

/* SDM 3C "Saving Guest State" goes by the controls in force at the exit, whatever L1 does to them
 * before it reads. */
static void controls_changed_before_the_read(void **state)
{
	struct fixture *f = *state;
	uint64_t exit;

	start(f);
	SET02(f, GUEST_DR7, DR7_FIXED1 | 1);
	leave(f);
	exit = l1_read(f, VMCS_EXIT_CONTROLS);
	l1_write(f, VMCS_EXIT_CONTROLS, exit & ~(uint64_t)EXIT_SAVE_DEBUG_CONTROLS);
	assert_int_equal(l1_read(f, VMCS_GUEST_DR7), DR7_FIXED1 | 1); /* was saved */
	l1_resume(f);
	assert_int_equal(GET02(f, GUEST_DR7), DR7_FIXED1 | 1);
	SET02(f, GUEST_DR7, DR7_FIXED1 | 2);
	leave(f);
	l1_write(f, VMCS_EXIT_CONTROLS, exit);
	assert_int_equal(l1_read(f, VMCS_GUEST_DR7), DR7_FIXED1 | 1); /* was not */
	l1_resume(f);
	assert_int_equal(GET02(f, GUEST_DR7), DR7_FIXED1 | 1);
}

/* The parts of an event that do not matter yet are kept, and are there when they do. */
static void event_in_parts(void **state)
{
	struct fixture *f = *state;
	const uint32_t info = INTR_INFO_VALID | INTR_INFO_ERROR_CODE | VECTOR_GP |
			      INTR_TYPE_HARDWARE_EXCEPTION << INTR_INFO_TYPE_SHIFT;

	start(f);
	leave(f);
	l1_write(f, VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0x18);
	l1_write(f, VMCS_ENTRY_INSTRUCTION_LENGTH, 3);
	l1_resume(f);
	assert_false(GET02(f, ENTRY_INTERRUPTION_INFO) & INTR_INFO_VALID);
	leave(f);
	assert_int_equal(l1_read(f, VMCS_ENTRY_EXCEPTION_ERROR_CODE), 0x18);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMCLEAR, VMCS_A), SEEN_SUCCEED, 0);
	assert_outcome(l1_insn_pointer(f, EXIT_REASON_VMPTRLD, VMCS_A), SEEN_SUCCEED, 0);
	assert_int_equal(l1_read(f, VMCS_ENTRY_EXCEPTION_ERROR_CODE), 0x18);
	assert_int_equal(l1_read(f, VMCS_ENTRY_INSTRUCTION_LENGTH), 3);
	l1_write(f, VMCS_ENTRY_INTERRUPTION_INFO, info);
	l1_launch(f);
	assert_int_equal(GET02(f, ENTRY_INTERRUPTION_INFO), info);
	assert_int_equal(GET02(f, ENTRY_EXCEPTION_ERROR_CODE), 0x18);
	leave(f);
	assert_int_equal(l1_read(f, VMCS_ENTRY_INTERRUPTION_INFO), info & ~INTR_INFO_VALID);
	l1_resume(f);
	assert_false(GET02(f, ENTRY_INTERRUPTION_INFO) & INTR_INFO_VALID);
	leave(f);
	l1_write(f, VMCS_ENTRY_INTERRUPTION_INFO, info); /* the very same again */
	l1_resume(f);
	assert_int_equal(GET02(f, ENTRY_INTERRUPTION_INFO), info);
}

/* An L1 without VPIDs expects its translations to be flushed by a round trip, once is enough. */
static void flush_without_vpid(void **state)
{
	struct fixture *f = *state;

	start(f);
	leave(f);
	fake_forget(&f->fake);
	l1_resume(f);
	leave(f);
	assert_int_equal(fake_count(&f->fake, FAKE_INVVPID, INVVPID_SINGLE), 1);
	l1_write(f, VMCS_SECONDARY_CONTROLS, SECONDARY_ENABLE_EPT | SECONDARY_ENABLE_VPID);
	l1_write(f, VMCS_VPID, 5);
	l1_resume(f);
	fake_forget(&f->fake);
	leave(f);
	l1_resume(f);
	assert_int_equal(fake_count_all(&f->fake, FAKE_INVVPID), 0);
}

/* An entry that has to look at the link pointer again has no new EPT pointer. */
static void link_pointer_each_time(void **state)
{
	struct fixture *f = *state;
	uint64_t eptp02;

	l1_prepare(f);
	l1_write(f, VMCS_SECONDARY_CONTROLS, SECONDARY_ENABLE_EPT | SECONDARY_VMCS_SHADOWING);
	l1_write(f, VMCS_VMREAD_BITMAP, VMREAD_PAGE);
	l1_write(f, VMCS_VMWRITE_BITMAP, VMWRITE_PAGE);
	l1_write(f, VMCS_VMCS_LINK_POINTER, VMCS_SHADOW);
	l1_launch(f);
	eptp02 = GET02(f, EPT_POINTER);
	assert_int_not_equal(eptp02, vmcs_get(&f->vmcs01, EPT_POINTER));
	for (unsigned i = 0; i < 2; i++) {
		leave(f);
		l1_resume(f);
		assert_int_equal(GET02(f, EPT_POINTER), eptp02);
		assert_non_null(f->v.linked);
	}
}

/* L2's EFER is saved, and loaded again, but at the exit L1 goes on with it: it is read then, and
 * still L2's own at the next entry, whether L1 asks or not. */
static void saved_and_left_over(void **state)
{
	struct fixture *f = *state;
	const uint64_t efer = EFER_LMA | EFER_LME | EFER_SCE;

	l1_prepare(f);
	l1_write(f, VMCS_EXIT_CONTROLS,
		 l1_read(f, VMCS_EXIT_CONTROLS) & ~(uint64_t)EXIT_LOAD_EFER);
	l1_launch(f);
	SET02(f, GUEST_IA32_EFER, efer);
	leave(f);
	assert_int_equal(GET01(f, GUEST_IA32_EFER), efer);
	l1_resume(f);
	assert_int_equal(GET02(f, GUEST_IA32_EFER), efer);
	leave(f);
	assert_int_equal(l1_read(f, VMCS_GUEST_IA32_EFER), efer);
	l1_write(f, VMCS_GUEST_IA32_EFER, EFER_LMA | EFER_LME);
	l1_resume(f);
	assert_int_equal(GET02(f, GUEST_IA32_EFER), EFER_LMA | EFER_LME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BOTH(overwritten_exit_information),
	    BOTH(exit_information_after_failure),
	    BOTH(exit_information_from_memory),
	    BOTH(writes_before_a_refusal),
	    BOTH(back_and_forth),
	    BOTH(two_host_states),
	    BOTH(host_written_again),
	    BOTH(unusable_segment),
	    BOTH(controls_changed_before_the_read),
	    BOTH(event_in_parts),
	    BOTH(flush_without_vpid),
	    BOTH(link_pointer_each_time),
	    BOTH(saved_and_left_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
