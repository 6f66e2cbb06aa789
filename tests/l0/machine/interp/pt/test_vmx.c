/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Intel PT across VM entries and exits: a trace of both sides, what the "conceal" controls leave
 * out, a trace of the guest alone into guest-physical memory, and the EPT violations of its output.
 * SDM 3C "Intel PT and VMX".
 */
#include "tests/l0/machine/interp/pt/traced.h"

#include <intel-pt.h>

#include "l0/machine/interp/vmx/vmx.h"
#include "shadow/sdm/vmcs.h"

#define PLAIN (RTIT_CTL_OS | RTIT_CTL_USER | RTIT_CTL_BRANCH_EN)
#define REGION UINT64_C(0x20000)
#define EPT UINT64_C(0x30000)
#define HOST (PT_CODE + 0x1000)
#define GUEST (PT_CODE + 0x2000)
#define EPTP (EPT | EPTP_MT_WB | EPTP_WALK_4)

static uint32_t secondary, exits, entries;
static uint64_t hole; /* 2 MiB of guest-physical memory that EPT does not map, or 0 */

static void segments(struct vmcs *v)
{
	for (enum x86_seg seg = SEG_ES; seg <= SEG_GS; seg++) {
		vmcs_set_seg(v, SELECTOR, seg, seg == SEG_CS ? PT_CS : PT_DS);
		vmcs_set_seg(v, BASE, seg, 0);
		vmcs_set_seg(v, LIMIT, seg, UINT32_MAX);
		vmcs_set_seg(v, ACCESS_RIGHTS, seg, seg == SEG_CS ? 0xa09b : 0xc093);
	}
	vmcs_set_seg(v, ACCESS_RIGHTS, SEG_LDTR, AR_UNUSABLE);
	vmcs_set_seg(v, SELECTOR, SEG_TR, PT_TR);
	vmcs_set_seg(v, BASE, SEG_TR, PT_TSS);
	vmcs_set_seg(v, LIMIT, SEG_TR, 0x67);
	vmcs_set_seg(v, ACCESS_RIGHTS, SEG_TR, 0x8b);
}

static void fill(const struct cpu *cpu, struct vmcs *v)
{
	const uint64_t cr0 = cpu->cr0, cr4 = cpu->cr4;

	segments(v);
	vmcs_set(v, GUEST_CR0, cr0);
	vmcs_set(v, GUEST_CR3, cpu->cr3);
	vmcs_set(v, GUEST_CR4, cr4);
	vmcs_set(v, GUEST_RIP, GUEST);
	vmcs_set(v, GUEST_RSP, PT_STACK);
	vmcs_set(v, GUEST_RFLAGS, RFLAGS_FIXED1);
	vmcs_set(v, GUEST_DR7, DR7_FIXED1);
	vmcs_set(v, GUEST_IDTR_BASE, PT_IDT);
	vmcs_set(v, GUEST_IDTR_LIMIT, 0xfff);
	vmcs_set(v, VMCS_LINK_POINTER, UINT64_MAX);
	vmcs_set(v, HOST_CR0, cr0);
	vmcs_set(v, HOST_CR3, cpu->cr3);
	vmcs_set(v, HOST_CR4, cr4);
	vmcs_set(v, HOST_CS_SELECTOR, PT_CS);
	vmcs_set(v, HOST_SS_SELECTOR, PT_DS);
	vmcs_set(v, HOST_TR_SELECTOR, PT_TR);
	vmcs_set(v, HOST_TR_BASE, PT_TSS);
	vmcs_set(v, HOST_GDTR_BASE, WHOLE_GDT);
	vmcs_set(v, HOST_IDTR_BASE, PT_IDT);
	vmcs_set(v, HOST_RSP, PT_INNER_STACK);
	vmcs_set(v, HOST_RIP, HOST);
	vmcs_set(v, EPT_POINTER, EPTP);
}

static void controls(const struct cpu *cpu, struct vmcs *v)
{
	const uint32_t wanted[] = {0, (uint32_t)PRIMARY_ACTIVATE_SECONDARY, secondary,
				   EXIT_HOST_ADDRESS_SPACE_SIZE | exits,
				   ENTRY_IA32E_MODE_GUEST | entries};
	static const enum vmcs_index field[] = {
	    VMCS_INDEX_PIN_BASED_CONTROLS, VMCS_INDEX_PRIMARY_CONTROLS,
	    VMCS_INDEX_SECONDARY_CONTROLS, VMCS_INDEX_EXIT_CONTROLS, VMCS_INDEX_ENTRY_CONTROLS};

	for (unsigned word = 0; word < 5; word++)
		v->field[field[word]] =
		    wanted[word] |
		    (uint32_t)vmx_caps_allowed(cpu->vmx->caps, (enum vmx_control_word)word);
}

/* Guest: mov ecx,4; 1: dec ecx; jnz 1b; call f; nop; cpuid (exits); f: ret. Host: nop; vmlaunch.
 * After the exit: nop; jmp 1f; 1: hlt */
static void put_guest(struct machine *m)
{
	struct cpu *cpu = m->cpu;

	PT_PUT(m, PT_CODE, 0x90, 0x0f, 0x01, 0xc2, 0xf4);
	PT_PUT(m, HOST, 0x90, 0xeb, 0, 0xf4);
	PT_PUT(m, GUEST, 0xb9, 4, 0, 0, 0, 0xff, 0xc9, 0x75, 0xfc, 0xe8, 3, 0, 0, 0, 0x90, 0x0f,
	       0xa2, 0xc3);
	cpu->cr0 |= CR0_NE;
	cpu->cr4 |= CR4_VMXE;
	whole_put64(m, EPT, (EPT + 0x1000) | EPT_RWX);
	whole_put64(m, EPT + 0x1000, (EPT + 0x2000) | EPT_RWX);
	for (uint64_t at = 0; at < PT_RAM; at += UINT64_C(1) << 21)
		if (!hole || at != hole)
			whole_put64(m, EPT + 0x2000 + (at >> 21) * 8,
				    at | EPT_RWX | EPT_MT_WB | EPT_PS);
	whole_put64(m, REGION, VMCS_REVISION);
	cpu->vmx->on = true;
	cpu->vmx->current = REGION;
	cpu->vmx->vmcs = (struct vmcs *)(void *)memory_at(&m->memory, REGION);
	fill(cpu, cpu->vmx->vmcs);
	controls(cpu, cpu->vmx->vmcs);
}

static bool in_guest(uint64_t rip, unsigned cpl, uint64_t cr3)
{
	return PAGE_BASE(rip) == GUEST;
}

static void use(uint32_t secondary_, uint32_t exits_, uint32_t entries_)
{
	secondary = secondary_;
	exits = exits_;
	entries = entries_;
	hole = 0;
}

/* Both sides in one trace; PIP tells which, the VMCS packet whose. */
static void test_both_sides(void **state)
{
	struct pt_run r;

	use(SECONDARY_ENABLE_EPT, 0, 0);
	pt_run(&(struct pt_case){.setup = put_guest, .ctl = PLAIN, .insns = 1000}, &r);
	assert_int_equal(r.machine.cpu->vmx->exits, 1);
	pt_compare(&r, 0, 1);
	assert_int_equal(pt_count_packets(&r, ppt_pip), 1 + 2);
	assert_int_equal(pt_count_packets(&r, ppt_vmcs), 1);
	assert_int_equal(r.events[ptev_async_branch] + r.events[ptev_async_disabled], 2);
	pt_run_free(&r);
}

static void test_concealed(void **state)
{
	struct pt_run r;

	use(SECONDARY_ENABLE_EPT | SECONDARY_CONCEAL_VMX_FROM_PT, EXIT_CONCEAL_VMX_FROM_PT,
	    ENTRY_CONCEAL_VMX_FROM_PT);
	pt_run(&(struct pt_case){.setup = put_guest, .ctl = PLAIN, .insns = 1000}, &r);
	pt_compare(&r, 0, 1);
	assert_int_equal(pt_count_packets(&r, ppt_pip), 1);
	pt_run_free(&r);
}

/* VM entry switches it on, VM exit off. */
static void use_field(void)
{
	use(SECONDARY_ENABLE_EPT | SECONDARY_PT_USES_GPA, EXIT_CLEAR_RTIT_CTL, ENTRY_LOAD_RTIT_CTL);
}

static void test_guest_alone(void **state)
{
	struct pt_run r;

	use_field();
	pt_run(&(struct pt_case){.setup = put_guest,
				 .ctl = PLAIN,
				 .by_field = true,
				 .insns = 1000,
				 .wanted = in_guest},
	       &r);
	assert_int_equal(vmcs_get(r.machine.cpu->vmx->vmcs, GUEST_IA32_RTIT_CTL),
			 PLAIN | RTIT_CTL_TRACE_EN);
	assert_int_equal(pt_get(&r.machine, MSR_IA32_RTIT_CTL), 0);
	pt_compare(&r, 0, 0);
	assert_int_equal(r.decoded, 1 + 8 + 3);
	assert_int_equal(pt_count_packets(&r, ppt_tip_pge), 1);
	pt_run_free(&r);
}

/* Output that EPT does not map: an exit before the guest's first instruction, asynchronous to it,
 * with nothing lost: mapped, the same trace comes of it. */
static void test_violation(void **state)
{
	struct machine m;
	struct vmcs *vmcs;

	use_field();
	hole = PT_BUFFER;
	pt_prepare(&(struct pt_case){.setup = put_guest, .ctl = PLAIN, .by_field = true}, &m);
	m.max_insns = 1000;
	interp_cpu_ops.run(m.cpu);
	vmcs = m.cpu->vmx->vmcs;
	assert_int_equal(m.stop, STOP_HALTED);
	assert_int_equal(vmcs_get(vmcs, EXIT_REASON), EXIT_REASON_EPT_VIOLATION);
	assert_int_equal(vmcs_get(vmcs, EXIT_QUALIFICATION),
			 EPT_QUAL_WRITE | EPT_QUAL_ASYNCHRONOUS);
	assert_int_equal(vmcs_get(vmcs, GUEST_PHYSICAL_ADDRESS), PT_BUFFER);
	assert_int_equal(vmcs_get(vmcs, GUEST_RIP), GUEST);
	assert_int_equal(vmcs_get(vmcs, GUEST_IA32_RTIT_CTL), PLAIN | RTIT_CTL_TRACE_EN);
	assert_int_equal(pt_get(&m, MSR_IA32_RTIT_OUTPUT_MASK_PTRS) >> 32, 0);
	assert_int_equal(pt_get(&m, MSR_IA32_RTIT_STATUS), 0);
	machine_free(&m);
}

/* The checks of VM entry, as the CPU makes them. */
static void test_checks(void **state)
{
	struct machine m;

	use_field();
	pt_prepare(&(struct pt_case){.setup = put_guest, .ctl = PLAIN}, &m);
	m.max_insns = 1000;
	interp_cpu_ops.run(m.cpu);
	assert_int_equal(m.cpu->vmx->entries, 0);
	assert_int_equal(vmcs_get(m.cpu->vmx->vmcs, INSTRUCTION_ERROR), VMX_ERROR_ENTRY_CONTROLS);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_both_sides),	cmocka_unit_test(test_concealed),
	    cmocka_unit_test(test_guest_alone), cmocka_unit_test(test_violation),
	    cmocka_unit_test(test_checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
