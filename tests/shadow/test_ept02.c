/* SPDX-License-Identifier: BSD-2-Clause
 *
 * EPT02 as the composition of EPT12 and EPT01: filled by violations, bounded, coherent by INVEPT.
 */
#include "shadow/ept02.h"
#include "tests/shadow/fixture.h"

#define LINEAR (EPT_QUAL_LINEAR_VALID | EPT_QUAL_TRANSLATED)

static enum shadow_next violation(struct fixture *f, uint64_t gpa, uint64_t access)
{
	SET02(f, GUEST_PHYSICAL_ADDRESS, gpa);
	return l2_exit(f, EXIT_REASON_EPT_VIOLATION, access | LINEAR);
}

static uint64_t leaf(struct fixture *f, uint64_t gpa, uint64_t *size)
{
	return ept02_peek(&f->v, EPTP12, (struct l2_gpa){gpa}, size);
}

static void set_leaf12(struct fixture *f, uint64_t gpa, uint64_t entry)
{
	fake_poke64(&f->fake, EPT_PT + 8 * (gpa >> PAGE_SHIFT), entry);
}

static void start(struct fixture *f)
{
	l1_prepare(f);
	l1_launch(f);
}

static void fills_on_demand(void **state)
{
	struct fixture *f = *state;
	uint64_t size;

	start(f);
	assert_int_equal(leaf(f, 0x5000, &size), 0);
	assert_int_equal(violation(f, 0x5123, EPT_QUAL_READ), SHADOW_RESUME_L2);
	assert_int_equal(leaf(f, 0x5000, &size), (FAKE_RAM_HPA + 0x5000) | EPT_RWX | EPT_MT_WB);
	assert_int_equal(size, PAGE_SIZE);
	assert_int_equal(leaf(f, 0x6000, &size), 0);
	/* A table entry more needs no invalidation. */
	assert_int_equal(fake_count_all(&f->fake, FAKE_INVEPT), 0);
	assert_int_equal(GET02(f, EPT_POINTER) & EPT_ADDRESS & ~UINT64_C(0xfff000), FAKE_POOL_HPA);
}

/* The smaller of what EPT12 and EPT01 map in one piece. */
static void largest_page(void **state)
{
	struct fixture *f = *state;
	uint64_t size;

	start(f);
	fake_poke64(&f->fake, EPT_PD + 8, UINT64_C(0x200000) | EPT_RWX | EPT_MT_WB | EPT_PS);
	assert_int_equal(violation(f, 0x234567, EPT_QUAL_WRITE), SHADOW_RESUME_L2);
	assert_int_equal(leaf(f, 0x234567, &size),
			 (FAKE_RAM_HPA + 0x200000) | EPT_RWX | EPT_MT_WB | EPT_PS);
	assert_int_equal(size, BIT64(21));
	/* EPT01 splits: so does EPT02, and the large leaf goes with an INVEPT. */
	fake_map(&f->fake, 0x300000, (struct fake_page){.rights = EPT_R});
	shadow_ept01_changed(&f->v);
	assert_int_equal(leaf(f, 0x234567, &size), 0);
	assert_int_equal(violation(f, 0x234567, EPT_QUAL_READ), SHADOW_RESUME_L2);
	assert_int_equal(leaf(f, 0x234567, &size), (FAKE_RAM_HPA + 0x234000) | EPT_RWX | EPT_MT_WB);
	assert_int_equal(size, PAGE_SIZE);
	/* EPT12 grows to a 1-GB page: EPT02 stays within EPT01's page size. */
	fake_poke64(&f->fake, EPT_PDPT, EPT_RWX | EPT_MT_WB | EPT_PS);
	assert_int_equal(violation(f, 0x12345, EPT_QUAL_READ), SHADOW_RESUME_L2);
	leaf(f, 0x12345, &size);
	assert_int_equal(size, BIT64(21));
}

/* Every pair of rights: the leaf has their AND, and who forbids an access gets the exit. */
static void rights_are_anded(void **state)
{
	struct fixture *f = *state;
	static const uint64_t rights[] = {EPT_R, EPT_R | EPT_W, EPT_R | EPT_X, EPT_RWX, EPT_X};
	static const struct {
		uint64_t access, right;
	} accesses[] = {{EPT_QUAL_READ, EPT_R}, {EPT_QUAL_WRITE, EPT_W}, {EPT_QUAL_FETCH, EPT_X}};
	const uint64_t gpa = 0x8000;
	uint64_t size;

	start(f);
	for (unsigned i = 0; i < 5; i++)
		for (unsigned j = 0; j < 5; j++)
			for (unsigned k = 0; k < 3; k++) {
				uint64_t r12 = rights[i], r01 = rights[j], need = accesses[k].right;
				enum shadow_next next;

				set_leaf12(f, gpa, gpa | r12 | EPT_MT_WB);
				fake_map(&f->fake, gpa, (struct fake_page){.rights = r01});
				shadow_ept01_changed(&f->v);
				next = violation(f, gpa, accesses[k].access);
				if (!(r12 & need)) {
					assert_int_equal(next, SHADOW_RESUME_L1);
					assert_int_equal(l1_read(f, VMCS_EXIT_REASON),
							 EXIT_REASON_EPT_VIOLATION);
					assert_int_equal(l1_read(f, VMCS_EXIT_QUALIFICATION),
							 accesses[k].access | LINEAR | r12 << 3);
					assert_int_equal(l1_read(f, VMCS_GUEST_PHYSICAL_ADDRESS),
							 gpa);
					assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_L2,
						       0);
				} else if (!(r01 & need)) {
					assert_int_equal(next, SHADOW_L0);
					assert_int_equal(f->v.fault_gpa.value, gpa);
				} else {
					assert_int_equal(next, SHADOW_RESUME_L2);
					assert_int_equal(leaf(f, gpa, &size) & EPT_RWX, r12 & r01);
				}
			}
}

/* A supervisor shadow stack: writable to its own accesses by bit 60 of a leaf that is read-only. */
static void supervisor_shadow_stacks(void **state)
{
	const uint64_t gpa = 0x8000, write = EPT_QUAL_WRITE | EPT_QUAL_SHADOW_STACK;
	struct fixture *f = *state;
	uint64_t size;

	l1_prepare(f);
	l1_write(f, VMCS_EPT_POINTER, EPTP12 | EPTP_SSS);
	l1_launch(f);
	assert_true(GET02(f, EPT_POINTER) & EPTP_SSS);
	set_leaf12(f, gpa, gpa | EPT_R | EPT_MT_WB);
	assert_int_equal(violation(f, gpa, write), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_EXIT_QUALIFICATION), write | LINEAR | EPT_QUAL_ENTRY_R);
	assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_L2, 0);
	set_leaf12(f, gpa, gpa | EPT_R | EPT_MT_WB | EPT_SSS);
	assert_int_equal(violation(f, gpa, write), SHADOW_RESUME_L2);
	assert_int_equal(ept02_peek(&f->v, EPTP12 | EPTP_SSS, (struct l2_gpa){gpa}, &size) &
				 (EPT_RWX | EPT_SSS),
			 EPT_R | EPT_SSS);
	/* Ordinary writes, and the user's shadow stacks, go by the W bit. */
	assert_int_equal(violation(f, gpa, EPT_QUAL_WRITE | EPT_QUAL_SSS), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_EXIT_QUALIFICATION),
			 EPT_QUAL_WRITE | EPT_QUAL_SSS | LINEAR | EPT_QUAL_ENTRY_R);
	assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_L2, 0);
	assert_int_equal(violation(f, gpa, write | EPT_QUAL_USER), SHADOW_RESUME_L1);
	/* What lies above the leaf has to be writable. */
	assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_L2, 0);
	fake_poke64(&f->fake, EPT_PD, EPT_PT | EPT_R | EPT_X);
	assert_int_equal(violation(f, gpa, write), SHADOW_RESUME_L1);
}

static void types(void **state)
{
	struct fixture *f = *state;
	uint64_t size;

	start(f);
	set_leaf12(f, 0x9000, 0x9000 | EPT_RWX | EPT_MT_UC | EPT_IPAT);
	assert_int_equal(violation(f, 0x9000, EPT_QUAL_READ), SHADOW_RESUME_L2);
	assert_int_equal(leaf(f, 0x9000, &size) & (EPT_MT | EPT_IPAT), EPT_MT_UC | EPT_IPAT);
	fake_map(&f->fake, 0xa000, (struct fake_page){.rights = EPT_RWX, .mmio = true});
	assert_int_equal(violation(f, 0xa000, EPT_QUAL_READ), SHADOW_RESUME_L2);
	assert_int_equal(leaf(f, 0xa000, &size) & EPT_MT, EPT_MT_UC);
}

static void not_present_12(void **state)
{
	struct fixture *f = *state;

	start(f);
	set_leaf12(f, 0xb000, 0);
	assert_int_equal(violation(f, 0xb000, EPT_QUAL_WRITE), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_EXIT_QUALIFICATION), EPT_QUAL_WRITE | LINEAR);
	assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_L2, 0);
	/* L1 maps it: a violation looks at EPT12 afresh, INVEPT or not. */
	set_leaf12(f, 0xb000, 0xb000 | EPT_RWX | EPT_MT_WB);
	assert_int_equal(violation(f, 0xb000, EPT_QUAL_WRITE), SHADOW_RESUME_L2);
	assert_int_equal(violation(f, BIT64(40), EPT_QUAL_READ), SHADOW_RESUME_L1);
}

static void misconfigurations(void **state)
{
	struct fixture *f = *state;
	static const uint64_t bad[] = {
	    EPT_W,
	    EPT_W | EPT_X,
	    EPT_RWX | UINT64_C(2) << EPT_MT_SHIFT,
	    EPT_RWX | UINT64_C(3) << EPT_MT_SHIFT,
	    EPT_RWX | UINT64_C(7) << EPT_MT_SHIFT,
	    EPT_RWX | EPT_MT_WB | BIT64(40),
	};

	start(f);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		set_leaf12(f, 0xc000, bad[i]);
		assert_int_equal(violation(f, 0xc000, EPT_QUAL_READ), SHADOW_RESUME_L1);
		assert_int_equal(l1_read(f, VMCS_EXIT_REASON), EXIT_REASON_EPT_MISCONFIGURATION);
		/* SDM 3C "Basic VM-Exit Information": of such an exit the field is cleared. */
		assert_int_equal(l1_read(f, VMCS_EXIT_QUALIFICATION), 0);
		assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_L2, 0);
	}
	/* Tables where there is no memory read as all ones. */
	fake_poke64(&f->fake, EPT_PD, UINT64_C(0x80000000) | EPT_RWX);
	assert_int_equal(violation(f, 0xc000, EPT_QUAL_READ), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_EXIT_REASON), EXIT_REASON_EPT_MISCONFIGURATION);
}

static void invept_drops(void **state)
{
	struct fixture *f = *state;
	unsigned used;
	uint64_t size;

	start(f);
	used = f->fake.pool_used;
	assert_int_equal(violation(f, 0x5000, EPT_QUAL_READ), SHADOW_RESUME_L2);
	assert_int_equal(f->fake.pool_used, used + 3);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	fake_forget(&f->fake);
	assert_outcome(l1_inv(f, EXIT_REASON_INVEPT, INVEPT_SINGLE, EPTP12 + 0x1000, 0),
		       SEEN_SUCCEED, 0);
	assert_int_not_equal(leaf(f, 0x5000, &size), 0);
	assert_outcome(l1_inv(f, EXIT_REASON_INVEPT, INVEPT_SINGLE, EPTP12, 0), SEEN_SUCCEED, 0);
	assert_int_equal(leaf(f, 0x5000, &size), 0);
	assert_int_equal(fake_count(&f->fake, FAKE_INVEPT, INVEPT_SINGLE), 1);
	assert_int_equal(f->fake.pool_used, used);
}

/* A changed translation drops the old leaf with an INVEPT; more rights need none. */
static void replacing(void **state)
{
	struct fixture *f = *state;
	uint64_t size;

	start(f);
	set_leaf12(f, 0x5000, 0x5000 | EPT_R | EPT_MT_WB);
	assert_int_equal(violation(f, 0x5000, EPT_QUAL_READ), SHADOW_RESUME_L2);
	set_leaf12(f, 0x5000, 0x5000 | EPT_RWX | EPT_MT_WB);
	fake_forget(&f->fake);
	assert_int_equal(violation(f, 0x5000, EPT_QUAL_WRITE), SHADOW_RESUME_L2);
	assert_int_equal(fake_count_all(&f->fake, FAKE_INVEPT), 0);
	set_leaf12(f, 0x5000, 0x7000 | EPT_RWX | EPT_MT_WB);
	assert_int_equal(violation(f, 0x5000, EPT_QUAL_WRITE), SHADOW_RESUME_L2);
	assert_int_equal(fake_count_all(&f->fake, FAKE_INVEPT), 1);
	assert_int_equal(leaf(f, 0x5000, &size) & EPT_ADDRESS, FAKE_RAM_HPA + 0x7000);
}

/* SDM 3C "INVEPT": single-context invalidation takes "all mappings associated with bits 51:12" of
 * the EPTP, so the operand need not be the EPTP in use to the last bit. */
static void invept_by_address(void **state)
{
	struct fixture *f = *state;
	uint64_t size;

	l1_prepare(f);
	l1_write(f, VMCS_EPT_POINTER, EPTP12 | EPTP_AD);
	l1_launch(f);
	assert_int_equal(violation(f, 0x5000, EPT_QUAL_WRITE), SHADOW_RESUME_L2);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_outcome(l1_inv(f, EXIT_REASON_INVEPT, INVEPT_SINGLE, EPTP12 + PAGE_SIZE, 0),
		       SEEN_SUCCEED, 0);
	assert_int_not_equal(
	    ept02_peek(&f->v, EPTP12 | EPTP_AD, (struct l2_gpa){0x5000}, &size), 0);
	assert_outcome(l1_inv(f, EXIT_REASON_INVEPT, INVEPT_SINGLE, EPTP12, 0), SEEN_SUCCEED, 0);
	assert_int_equal(ept02_peek(&f->v, EPTP12 | EPTP_AD, (struct l2_gpa){0x5000}, &size), 0);
	assert_int_equal(fake_count(&f->fake, FAKE_INVEPT, INVEPT_SINGLE), 1);
	/* Bits 127:64 of the descriptor "must be zero". */
	assert_outcome(l1_inv(f, EXIT_REASON_INVEPT, INVEPT_SINGLE, EPTP12, 1), SEEN_VALID,
		       VMX_ERROR_INVALID_OPERAND);
	assert_outcome(l1_inv(f, EXIT_REASON_INVEPT, INVEPT_GLOBAL, 0, 1), SEEN_VALID,
		       VMX_ERROR_INVALID_OPERAND);
}

/* Few pages: trees are dropped and rebuilt, L2 still gets every page, and nothing leaks. */
static void bounded(void **state)
{
	struct fixture *f = *state;
	uint64_t size;

	start(f);
	fake_poke64(&f->fake, EPT_PD,
		    EPT_RWX | EPT_MT_WB | EPT_PS); /* 2 MB, split by EPT01 below */
	fake_map(&f->fake, 0x1ff000, (struct fake_page){.rights = EPT_RWX});
	shadow_ept01_changed(&f->v);
	f->fake.pool_limit = f->fake.pool_used + 3;
	for (uint64_t i = 0; i < 200; i++) {
		/* Other gigabytes of L2 need other tables: more than there are pages. */
		fake_poke64(&f->fake, EPT_PDPT + 8 * (i % 8), EPT_PD | EPT_RWX);
		assert_int_equal(violation(f, (i % 8) << 30 | 0x5000, EPT_QUAL_READ),
				 SHADOW_RESUME_L2);
		assert_int_not_equal(leaf(f, (i % 8) << 30 | 0x5000, &size), 0);
		assert_true(f->fake.pool_used <= f->fake.pool_limit);
	}
	f->fake.pool_limit = f->fake.pool_used - 3;
	shadow_ept01_changed(&f->v);
	assert_int_equal(violation(f, 0x5000, EPT_QUAL_READ), SHADOW_DEAD);
	assert_non_null(f->v.dead);
}

/* L2 with dirty flags and a page-modification log at AREA, whose next entry is `index`. */
static void launch_logging(struct fixture *f, uint64_t eptp, uint64_t index)
{
	l1_prepare(f);
	l1_write(f, VMCS_EPT_POINTER, eptp);
	l1_write(f, VMCS_SECONDARY_CONTROLS, SECONDARY_ENABLE_EPT | SECONDARY_ENABLE_PML);
	l1_write(f, VMCS_PML_ADDRESS, AREA);
	l1_write(f, VMCS_PML_INDEX, index);
	l1_launch(f);
}

/* Accessed and dirty flags of EPT12, and the page-modification log. */
static void dirty_flags(void **state)
{
	struct fixture *f = *state;
	uint64_t eptp = EPTP12 | EPTP_AD, size;

	launch_logging(f, eptp, 1);
	assert_int_equal(violation(f, 0x5000, EPT_QUAL_READ), SHADOW_RESUME_L2);
	assert_int_equal(fake_peek64(&f->fake, EPT_PT + 8 * 5),
			 0x5000 | EPT_RWX | EPT_MT_WB | EPT_A);
	assert_int_equal(fake_peek64(&f->fake, EPT_ROOT), EPT_PDPT | EPT_RWX | EPT_A);
	assert_int_equal(ept02_peek(&f->v, eptp, (struct l2_gpa){0x5000}, &size) & EPT_RWX,
			 EPT_R | EPT_X);
	for (uint64_t gpa = 0x5000; gpa <= 0x6000; gpa += PAGE_SIZE) {
		assert_int_equal(violation(f, gpa + 8, EPT_QUAL_WRITE), SHADOW_RESUME_L2);
		assert_true(fake_peek64(&f->fake, EPT_PT + 8 * (gpa >> 12)) & EPT_D);
		assert_int_equal(ept02_peek(&f->v, eptp, (struct l2_gpa){gpa}, &size) & EPT_RWX,
				 EPT_RWX);
	}
	assert_int_equal(fake_peek64(&f->fake, AREA + 8), 0x5000);
	assert_int_equal(fake_peek64(&f->fake, AREA), 0x6000);
	/* The log is full: an exit, before the flag is set. */
	assert_int_equal(violation(f, 0x7000, EPT_QUAL_WRITE), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_EXIT_REASON), EXIT_REASON_PML_FULL);
	assert_int_equal(l1_read(f, VMCS_PML_INDEX), 0xffff);
	assert_false(fake_peek64(&f->fake, EPT_PT + 8 * 7) & EPT_D);
}

/* Without VPID every entry flushes what L2 had cached with it: an L1 that logs and clears a dirty
 * flag finds the next write in the log, without INVEPT. */
static void dirty_flags_without_vpid(void **state)
{
	struct fixture *f = *state;
	uint64_t eptp = EPTP12 | EPTP_AD, size;

	launch_logging(f, eptp, 511);
	/* 400 pages: more than L0 remembers one by one. */
	for (uint64_t gpa = 0x5000; gpa < 0x5000 + 400 * PAGE_SIZE; gpa += PAGE_SIZE)
		assert_int_equal(violation(f, gpa, EPT_QUAL_WRITE), SHADOW_RESUME_L2);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	set_leaf12(f, 0x6000, 0x6000 | EPT_RWX | EPT_MT_WB);
	set_leaf12(f, 0x190000, 0x190000 | EPT_RWX | EPT_MT_WB);
	assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_L2, 0);
	assert_false(ept02_peek(&f->v, eptp, (struct l2_gpa){0x6000}, &size) & EPT_W);
	assert_false(ept02_peek(&f->v, eptp, (struct l2_gpa){0x190000}, &size) & EPT_W);
	/* A neighbour keeps its translation. */
	assert_true(ept02_peek(&f->v, eptp, (struct l2_gpa){0x191000}, &size) & EPT_W);
	assert_int_equal(violation(f, 0x190008, EPT_QUAL_WRITE), SHADOW_RESUME_L2);
	assert_int_equal(fake_peek64(&f->fake, AREA + 8 * 111), 0x190000);
	/* The same where the flag was set already when EPT02 took the page over. */
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	assert_outcome(l1_inv(f, EXIT_REASON_INVEPT, INVEPT_GLOBAL, 0, 0), SEEN_SUCCEED, 0);
	assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_L2, 0);
	assert_int_equal(violation(f, 0x190000, EPT_QUAL_READ), SHADOW_RESUME_L2);
	assert_true(ept02_peek(&f->v, eptp, (struct l2_gpa){0x190000}, &size) & EPT_W);
	assert_int_equal(l2_exit(f, EXIT_REASON_CPUID, 0), SHADOW_RESUME_L1);
	set_leaf12(f, 0x190000, 0x190000 | EPT_RWX | EPT_MT_WB);
	assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_L2, 0);
	assert_false(ept02_peek(&f->v, eptp, (struct l2_gpa){0x190000}, &size) & EPT_W);
}

static void virtualization_exception(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	l1_write(f, VMCS_SECONDARY_CONTROLS, SECONDARY_ENABLE_EPT | SECONDARY_EPT_VIOLATION_VE);
	l1_write(f, VMCS_VIRTUALIZATION_EXCEPTION_INFO, AREA);
	l1_launch(f);
	assert_false(GET02(f, SECONDARY_CONTROLS) & SECONDARY_EPT_VIOLATION_VE);
	set_leaf12(f, 0x5000, EPT_SUPPRESS_VE);
	assert_int_equal(violation(f, 0x5000, EPT_QUAL_READ), SHADOW_RESUME_L1);
	assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_L2, 0);
	set_leaf12(f, 0x5000, 0);
	SET02(f, GUEST_LINEAR_ADDRESS, 0x77);
	assert_int_equal(violation(f, 0x5000, EPT_QUAL_READ), SHADOW_RESUME_L2);
	assert_int_equal(GET02(f, ENTRY_INTERRUPTION_INFO), INTR_INFO_VALID | 3 << 8 | VECTOR_VE);
	assert_int_equal(fake_peek64(&f->fake, AREA), UINT64_C(0xffffffff00000030));
	assert_int_equal(fake_peek64(&f->fake, AREA + 8), EPT_QUAL_READ | LINEAR);
	assert_int_equal(fake_peek64(&f->fake, AREA + 16), 0x77);
	assert_int_equal(fake_peek64(&f->fake, AREA + 24), 0x5000);
	/* Busy: an exit instead. */
	assert_int_equal(violation(f, 0x5000, EPT_QUAL_READ), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_EXIT_REASON), EXIT_REASON_EPT_VIOLATION);
}

static void eptp_switching(void **state)
{
	struct fixture *f = *state;
	uint64_t first;

	l1_prepare(f);
	l1_write(f, VMCS_SECONDARY_CONTROLS, SECONDARY_ENABLE_EPT | SECONDARY_ENABLE_VM_FUNCTIONS);
	l1_write(f, VMCS_VM_FUNCTION_CONTROLS, 1);
	l1_write(f, VMCS_EPTP_LIST_ADDRESS, AREA);
	fake_poke64(&f->fake, AREA + 8, EPTP12 + 0x8000);
	fake_poke64(&f->fake, AREA + 16, 0x123);
	l1_launch(f);
	first = GET02(f, EPT_POINTER);
	assert_int_equal(GET02(f, VM_FUNCTION_CONTROLS), 0);
	f->regs.gpr[REG_RAX] = 0;
	f->regs.gpr[REG_RCX] = 1;
	assert_int_equal(l2_exit(f, EXIT_REASON_VMFUNC, 0), SHADOW_RESUME_L2);
	assert_int_not_equal(GET02(f, EPT_POINTER), first);
	assert_int_equal(GET02(f, GUEST_RIP), L2_RIP + 2);
	f->regs.gpr[REG_RCX] = 2; /* not a valid EPTP */
	assert_int_equal(l2_exit(f, EXIT_REASON_VMFUNC, 0), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_EPT_POINTER), EPTP12 + 0x8000);
}

/* One level more in EPT12, two of its tables by turns; EPT02 stays at four. */
static void five_levels(void **state)
{
	struct fixture *f = *state;
	const uint64_t eptp12 = AREA | EPTP_WALK_5 | EPTP_MT_WB;
	uint64_t size;

	l1_prepare(f);
	fake_poke64(&f->fake, AREA, EPT_ROOT | EPT_RWX);
	l1_write(f, VMCS_EPT_POINTER, eptp12);
	l1_launch(f);
	assert_int_equal(GET02(f, EPT_POINTER) & EPTP_WALK, EPTP_WALK_4);
	assert_int_equal(violation(f, 0x5123, EPT_QUAL_READ), SHADOW_RESUME_L2);
	assert_int_equal(ept02_peek(&f->v, eptp12, (struct l2_gpa){0x5000}, &size),
			 (FAKE_RAM_HPA + 0x5000) | EPT_RWX | EPT_MT_WB);
	/* A reserved bit in the PML5E, then a PML5E that is not there. */
	fake_poke64(&f->fake, AREA, EPT_ROOT | EPT_RWX | EPT_PS);
	assert_int_equal(violation(f, 0x6123, EPT_QUAL_READ), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_EXIT_REASON), EXIT_REASON_EPT_MISCONFIGURATION);
	fake_poke64(&f->fake, AREA, 0);
	assert_outcome(l1_insn(f, EXIT_REASON_VMRESUME), SEEN_L2, 0);
	assert_int_equal(violation(f, 0x7123, EPT_QUAL_READ), SHADOW_RESUME_L1);
	assert_int_equal(l1_read(f, VMCS_EXIT_REASON), EXIT_REASON_EPT_VIOLATION);
}

/* An L1 without EPT runs L2 on EPT01. */
static void without_ept12(void **state)
{
	struct fixture *f = *state;

	l1_prepare(f);
	l1_write(f, VMCS_SECONDARY_CONTROLS, 0);
	l1_launch(f);
	assert_int_equal(GET02(f, EPT_POINTER), vmcs_get(&f->vmcs01, EPT_POINTER));
	assert_true(GET02(f, SECONDARY_CONTROLS) & SECONDARY_ENABLE_EPT);
	assert_int_equal(violation(f, 0x5000, EPT_QUAL_READ), SHADOW_L0);
	assert_int_equal(f->v.fault_gpa.value, 0x5000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(fills_on_demand),
	    TEST(largest_page),
	    TEST(rights_are_anded),
	    TEST(supervisor_shadow_stacks),
	    TEST(types),
	    TEST(not_present_12),
	    TEST(misconfigurations),
	    TEST(invept_drops),
	    TEST(invept_by_address),
	    TEST(replacing),
	    TEST(bounded),
	    TEST(dirty_flags),
	    TEST(dirty_flags_without_vpid),
	    TEST(virtualization_exception),
	    TEST(eptp_switching),
	    TEST(five_levels),
	    TEST(without_ept12),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
