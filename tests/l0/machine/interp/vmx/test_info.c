/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The VM-exit instruction information and the displacement that exits report; layouts from SDM 3C
 * "Information for VM Exits Due to Instruction Execution".
 */
#include "tests/l0/machine/interp/vmx/fixture.h"

static const struct {
	enum vmx_exit_reason reason;
	struct op op;
	uint32_t info;
} cases[] = {
	/* VMREAD [RBX + RCX*4], RSI */
	{EXIT_REASON_VMREAD,
	 {.flags = OP_MEMORY,
	  .base = 3,
	  .index = 1,
	  .scale = 2,
	  .seg = SEG_DS,
	  .addrsize = 8,
	  .reg = 6},
	 2 | 2u << 7 | 3u << 15 | 1u << 18 | 3u << 23 | 6u << 28},
	/* VMWRITE RSI, R9 */
	{EXIT_REASON_VMWRITE,
	 {.rm = 9, .reg = 6, .addrsize = 8},
	 9u << 3 | 1u << 10 | 6u << 28},
	/* VMCLEAR FS:[disp32], 32-bit addresses */
	{EXIT_REASON_VMCLEAR,
	 {.flags = OP_MEMORY,
	  .base = REG_ZERO,
	  .index = REG_ZERO,
	  .seg = SEG_FS,
	  .addrsize = 4,
	  .reg = 6},
	 1u << 7 | 4u << 15 | 1u << 22 | 1u << 27},
	/* LIDT [RBP] */
	{EXIT_REASON_GDTR_IDTR_ACCESS,
	 {.flags = OP_MEMORY,
	  .base = 5,
	  .index = REG_ZERO,
	  .seg = SEG_SS,
	  .addrsize = 8,
	  .opsize = 8,
	  .reg = 3},
	 2u << 7 | 1u << 11 | 2u << 15 | 1u << 22 | 5u << 23 | 3u << 28},
	/* LTR AX */
	{EXIT_REASON_LDTR_TR_ACCESS,
	 {.rm = 0, .reg = 3, .addrsize = 8},
	 1u << 10 | 3u << 28},
	/* RDRAND R11D */
	{EXIT_REASON_RDRAND, {.rm = 11, .opsize = 4, .reg = 6}, 11u << 3 | 1u << 11},
	/* INVPCID RDX, [RAX] */
	{EXIT_REASON_INVPCID,
	 {.flags = OP_MEMORY,
	  .base = 0,
	  .index = REG_ZERO,
	  .seg = SEG_DS,
	  .addrsize = 8,
	  .reg = 2},
	 2u << 7 | 3u << 15 | 1u << 22 | 0u << 23 | 2u << 28},
};

static void test_instruction_information(void **state)
{
	struct fixture f;

	start_vmx(&f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		f.op = cases[i].op;
		f.cpu->op = &f.op;
		assert_int_equal(vmx_instruction_info(f.cpu, cases[i].reason), cases[i].info);
	}
	stop(&f);
}

static void test_displacement(void **state)
{
	struct fixture f;

	start_vmx(&f);
	f.op.disp = -8;
	assert_int_equal(vmx_displacement(f.cpu, &f.op), UINT64_MAX - 7);
	f.op.addrsize = 4;
	assert_int_equal(vmx_displacement(f.cpu, &f.op), 0xfffffff8);
	f.op.flags = 0;
	assert_int_equal(vmx_displacement(f.cpu, &f.op), 0);
	/* RIP-relative: the address itself. */
	f.op = (struct op){.flags = OP_MEMORY,
			   .base = REG_RIP,
			   .index = REG_ZERO,
			   .addrsize = 8,
			   .disp = 0x100};
	assert_int_equal(vmx_displacement(f.cpu, &f.op), HOST_ENTRY + 0x100);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instruction_information),
		cmocka_unit_test(test_displacement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
