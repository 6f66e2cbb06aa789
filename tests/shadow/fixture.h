/* SPDX-License-Identifier: BSD-2-Clause
 *
 * An L1 in 64-bit mode over the fake environment, with helpers that execute its VMX instructions
 * and play L2's exits. L1's memory map is below; its VMCS12 is one that enters with nothing
 * special.
 */
#ifndef TESTS_SHADOW_FIXTURE_H
#define TESTS_SHADOW_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shadow/sdm/msr.h"
#include "shadow/shadow.h"
#include "shadow/slot.h"
#include "tests/shadow/fake_env.h"

enum {
	PML4 = 0x1000,
	PDPT = 0x2000,
	PD = 0x3000,
	OPERAND = 0x5000, /* memory operands of VMX instructions */
	VMXON_REGION = 0x6000,
	VMCS_A = 0x7000,
	VMCS_B = 0x8000,
	VMCS_SHADOW = 0x9000,
	MSR_PAGE = 0xa000,
	IO_PAGE_A = 0xb000,
	IO_PAGE_B = 0xc000,
	VMREAD_PAGE = 0xd000,
	VMWRITE_PAGE = 0xe000,
	AREA = 0xf000,
	AREA_2 = 0x10000,
	EPT_ROOT = 0x11000, /* and the tables below it, a page each */
	EPT_PDPT = 0x12000,
	EPT_PD = 0x13000,
	EPT_PT = 0x14000,
	APIC_PAGE = 0x15000,
	L1_HOST_RIP = 0x20000,
	L1_RIP = 0x21000,
	L2_RIP = 0x22000,
};
#define VMCS01_HPA FAKE_POOL_HPA - 0x10000
#define DESCRIPTOR_MEMORY (BIT32(22) | BIT32(27) | 2u << 7 | 3u << 15) /* [disp64], DS */
#define EPTP12 (EPT_ROOT | EPTP_WALK_4 | EPTP_MT_WB)

struct fixture {
	struct fake_env fake;
	struct vmcs vmcs01; /* the image L0 keeps */
	bool launched01;
	uint64_t msr_bitmap01[512], io_bitmap01_a[512], io_bitmap01_b[512];
	struct shadow_vcpu v;
	struct shadow_regs regs;
};

#define GET01(f, name) fake_get(&(f)->fake, VMCS01_HPA, name)
#define SET01(f, name, value) fake_set(&(f)->fake, VMCS01_HPA, name, value)
#define HPA02(f) ((f)->v.current->vmcs02.hpa.value)
#define GET02(f, name) fake_get(&(f)->fake, HPA02(f), name)
#define SET02(f, name, value) fake_set(&(f)->fake, HPA02(f), name, value)

/* Set-up: with everything, or with chosen hardware features. L1 is outside VMX operation. */
void fixture_init(struct fixture *f, vmx_features features);
void fixture_free(struct fixture *f);
/* cmocka set-up and tear-down with all features. */
int fixture_setup(void **state);
int fixture_setup_without_shadowing(void **state);
int fixture_teardown(void **state);
/* Rows of cmocka: the test with all features, then the same without VMCS shadowing. */
#define BOTH(test)                                                                                 \
	cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown),                    \
	    cmocka_unit_test_setup_teardown(test, fixture_setup_without_shadowing,                 \
					    fixture_teardown)

/* What L1 sees of an instruction. */
enum seen {
	SEEN_SUCCEED,
	SEEN_INVALID,
	SEEN_VALID,
	SEEN_UD,
	SEEN_GP,
	SEEN_SS,
	SEEN_PF,
	SEEN_L2,
	SEEN_EXIT,
	SEEN_DEAD
};
struct outcome {
	enum seen seen;
	uint64_t number; /* SEEN_VALID: error; SEEN_EXIT: exit reason */
};

/* L1 executes a VMX instruction whose EXIT_INSTRUCTION_INFO, qualification and registers are set.
 */
struct outcome l1_insn(struct fixture *f, uint32_t reason);
/* ... with a 64-bit memory operand at OPERAND that holds `value`. */
struct outcome l1_insn_pointer(struct fixture *f, uint32_t reason, uint64_t value);
struct outcome l1_vmread(struct fixture *f, uint64_t encoding, uint64_t *value);
struct outcome l1_vmwrite(struct fixture *f, uint64_t encoding, uint64_t value);
struct outcome l1_inv(struct fixture *f, uint32_t reason, uint64_t type, uint64_t low,
		      uint64_t high);
/* As the hardware would: through the shadow VMCS if that lets the field through, else by an exit.
 */
bool l1_reaches(struct fixture *f, uint32_t encoding); /* L1's VMWRITE makes no exit */
void l1_write(struct fixture *f, uint32_t encoding, uint64_t value);
uint64_t l1_read(struct fixture *f, uint32_t encoding);

/* FEATURE_CONTROL, VMXON, VMCLEAR and VMPTRLD of VMCS_A. */
void l1_start_vmx(struct fixture *f);
/* The same, and a VMCS12 written that enters: 64-bit L2 with EPT. */
void l1_prepare(struct fixture *f);
/* VMLAUNCH that succeeds. */
void l1_launch(struct fixture *f);
/* VMRESUME that succeeds. */
void l1_resume(struct fixture *f);

/* L2 exits: the fields are set in VMCS02 beforehand (SET02). */
enum shadow_next l2_exit(struct fixture *f, uint32_t reason, uint64_t qualification);

/* An EPT12 that maps 2 MB at gpa 0 by 4-KB pages to themselves, all rights. */
void ept12_build(struct fixture *f);

#define assert_outcome(o, seen_, number_)                                                          \
	do {                                                                                       \
		struct outcome assert_o = (o);                                                     \
		assert_int_equal(assert_o.seen, (seen_));                                          \
		assert_int_equal(assert_o.number, (number_));                                      \
	} while (0)

#endif
