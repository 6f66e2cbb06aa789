/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Intel PT: near branches, returns with and without compression, exceptions, software interrupts,
 * far transfers, modes, privilege, transactions. libipt must find the very instructions that were
 * executed.
 */
#include "tests/l0/machine/interp/pt/traced.h"

#include <intel-pt.h>

#define PLAIN (RTIT_CTL_OS | RTIT_CTL_USER | RTIT_CTL_BRANCH_EN)

static void check(const struct pt_case *c, struct pt_run *r)
{
	pt_run(c, r);
	pt_compare(r, 0, 1); /* the HLT, or what the end of the run has cut off */
	assert_true(r->decoded > 3);
}

/* mov ecx,100; 1: test cl,1; jz 2f; nop; 2: test cl,4; jnz 3f; nop; 3: dec ecx; jnz 1b
 * mov ecx,3; 4: loop 4b; jmp 5f; hlt; 5: hlt */
static void put_conditional(struct machine *m)
{
	PT_PUT(m, PT_CODE, 0xb9, 100, 0, 0, 0, 0xf6, 0xc1, 1, 0x74, 1, 0x90, 0xf6, 0xc1, 4, 0x75, 1,
	       0x90, 0xff, 0xc9, 0x75, 0xf0, 0xb9, 3, 0, 0, 0, 0xe2, 0xfe, 0xeb, 1, 0xf4, 0xf4);
}

static void test_conditional(void **state)
{
	struct pt_run r;

	check(&(struct pt_case){.setup = put_conditional, .ctl = PLAIN, .insns = 10000}, &r);
	assert_true(pt_count_packets(&r, ppt_tnt_64) > 5);
	assert_int_equal(pt_count_packets(&r, ppt_psb), 1);
	assert_int_equal(pt_count_packets(&r, ppt_tip_pge), 1);
	pt_run_free(&r);
}

/* mov ecx,20; 1: call f; lea rdx,[rip+f]; call rdx; call 2f; 2: pop rax; test cl,1; jz 3f
 * lea rdx,[rip+3f]; jmp rdx; 3: dec ecx; jnz 1b; hlt;  f: call g; ret;  g: push rbx; pop rbx; ret
 */
static void put_calls(struct machine *m)
{
	PT_PUT(m, PT_CODE, 0xb9, 20, 0, 0, 0, 0xe8, 0xf6, 0, 0, 0, 0x48, 0x8d, 0x15, 0xef, 0, 0, 0,
	       0xff, 0xd2, 0xe8, 0, 0, 0, 0, 0x58, 0xf6, 0xc1, 1, 0x74, 9, 0x48, 0x8d, 0x15, 2, 0,
	       0, 0, 0xff, 0xe2, 0xff, 0xc9, 0x75, 0xda, 0xf4);
	PT_PUT(m, PT_CODE + 0x100, 0xe8, 0xfb, 0, 0, 0, 0xc3);
	PT_PUT(m, PT_CODE + 0x200, 0x53, 0x5b, 0xc3);
}

static void test_calls(void **state)
{
	struct pt_run r;
	unsigned tips;

	check(&(struct pt_case){.setup = put_calls, .ctl = PLAIN, .insns = 10000}, &r);
	tips = pt_count_packets(&r, ppt_tip);
	pt_run_free(&r);
	check(
	    &(struct pt_case){.setup = put_calls, .ctl = PLAIN | RTIT_CTL_DIS_RETC, .insns = 10000},
	    &r);
	assert_int_equal(pt_count_packets(&r, ppt_tip), tips + 80);
	pt_run_free(&r);
}

/* A RET that goes elsewhere, and those after it: call f; nop; hlt
 * f: call g; ret;  g: lea rdx,[rip+h]; push rdx; ret;  h: nop; ret */
static void put_odd_return(struct machine *m)
{
	PT_PUT(m, PT_CODE, 0xe8, 0xfb, 0, 0, 0, 0x90, 0xf4);
	PT_PUT(m, PT_CODE + 0x100, 0xe8, 0xfb, 0, 0, 0, 0xc3);
	PT_PUT(m, PT_CODE + 0x200, 0x48, 0x8d, 0x15, 0xf9, 0, 0, 0, 0x52, 0xc3);
	PT_PUT(m, PT_CODE + 0x300, 0x90, 0xc3);
}

static void test_odd_return(void **state)
{
	struct pt_run r;

	check(&(struct pt_case){.setup = put_odd_return, .ctl = PLAIN, .insns = 10000}, &r);
	pt_run_free(&r);
}

/* nop; int 0x50; ud2; nop; int3; hlt; the #UD handler goes on 2 bytes later: add qword [rsp],2 */
static void put_exceptions(struct machine *m)
{
	PT_PUT(m, PT_CODE, 0x90, 0xcd, 0x50, 0x0f, 0x0b, 0x90, 0xcc, 0xf4);
	PT_PUT(m, PT_HANDLER(6), 0x48, 0x83, 0x04, 0x24, 2, 0x48, 0xcf);
}

static void test_exceptions(void **state)
{
	struct pt_run r;

	check(&(struct pt_case){.setup = put_exceptions, .ctl = PLAIN, .insns = 10000}, &r);
	assert_int_equal(r.events[ptev_async_branch], 3);
	pt_run_free(&r);
}

/* To 32-bit code and back by far returns and jumps, to ring 3 by IRET and back by SYSCALL:
 * push 0x48; lea rax,[rip+32f]; push rax; retfq;  64: mov rcx,rip+user; mov r11,0x202
 * push 0x2b; push STACK; push 0x202; push 0x33; push user; iretq */
static void put_modes(struct machine *m)
{
	PT_PUT(m, PT_CODE, 0x6a, 0x48, 0x68, 0x00, 0x02, 0x10, 0x00, 0x48, 0xcb);
	/* 32: mov eax,5; 1: dec eax; jnz 1b; jmp 0x10:PT_CODE + 0x300 */
	PT_PUT(m, PT_CODE + 0x200, 0xb8, 5, 0, 0, 0, 0x48, 0x75, 0xfd, 0xea, 0x00, 0x03, 0x10, 0x00,
	       0x10, 0);
	PT_PUT(m, PT_CODE + 0x300, 0x6a, 0x2b, 0x68, 0x00, 0x00, 0x09, 0x00, 0x68, 0x02, 0x00, 0, 0,
	       0x6a, 0x33, 0x68, 0x00, 0x04, 0x10, 0x00, 0x48, 0xcf);
	/* user: nop; int 0x50; syscall; nop; syscall */
	PT_PUT(m, PT_CODE + 0x400, 0x90, 0xcd, 0x50, 0x0f, 0x05, 0x90, 0x0f, 0x05);
	/* kernel: inc esi; cmp esi,2; jz 1f; sysretq; 1: hlt */
	PT_PUT(m, PT_CODE + 0x500, 0xff, 0xc6, 0x83, 0xfe, 2, 0x74, 3, 0x48, 0x0f, 0x07, 0xf4);
	m->cpu->msrs.lstar = PT_CODE + 0x500;
}

static void allow_user(struct machine *m)
{
	for (uint64_t i = 0; i < PT_RAM >> 21; i++)
		whole_put64(m, WHOLE_DIRECTORY + 8 * i, i << 21 | 0x87);
	put_modes(m);
}

static void test_modes(void **state)
{
	struct pt_run r;

	check(&(struct pt_case){.setup = allow_user, .ctl = PLAIN, .insns = 10000}, &r);
	assert_int_equal(r.events[ptev_exec_mode], 3);
	pt_run_free(&r);
}

static bool in_ring3(uint64_t rip, unsigned cpl, uint64_t cr3)
{
	return cpl == 3;
}

static bool in_ring0(uint64_t rip, unsigned cpl, uint64_t cr3)
{
	return cpl == 0;
}

/* SDM 3C "Filtering by Current Privilege Level (CPL)" */
static void test_rings(void **state)
{
	struct pt_run r;

	check(&(struct pt_case){.setup = allow_user,
				.ctl = PLAIN & ~RTIT_CTL_OS,
				.insns = 10000,
				.wanted = in_ring3},
	      &r);
	assert_int_equal(r.events[ptev_enabled], 3);
	pt_run_free(&r);
	check(&(struct pt_case){.setup = allow_user,
				.ctl = PLAIN & ~RTIT_CTL_USER,
				.insns = 10000,
				.wanted = in_ring0},
	      &r);
	pt_run_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_conditional), cmocka_unit_test(test_calls),
	    cmocka_unit_test(test_odd_return),	cmocka_unit_test(test_exceptions),
	    cmocka_unit_test(test_modes),	cmocka_unit_test(test_rings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
