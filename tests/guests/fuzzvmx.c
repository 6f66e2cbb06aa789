/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Isolation under fire: an L1 that gives its VMX instructions, VMCS fields, EPT entries and MSR
 * areas random and hostile values, among them every address that is not its own. Whatever happens
 * to L2, or to this guest, the hypervisor beneath must stay whole: the run ends by power-off, or by
 * that hypervisor's report of its guest's mistake. Options: seed=N, rounds=N, touch (L2 goes for
 * the hypervisor's memory: if it comes back with anything, the run ends with status FUZZ_REACHED).
 */
#include <stddef.h>

#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/layout.h"
#include "l1/lib/multiboot.h"
#include "l1/lib/paging.h"
#include "l1/lib/runtime.h"
#include "l1/lib/string.h"
#include "l1/lib/trap.h"
#include "l1/lib/vmx.h"

#define FUZZ_REACHED 0x60
#define FUZZ_BROKEN 0x61
#define VMCS_COUNT 4
#define PREEMPTION_TICKS 2000
#define L2_CODE 0x10000u
#define L2_CODE_SIZE 64u
#define L2_LINEAR_HOSTILE UINT64_C(0x40000000) /* L2's view of the hostile gpas, 2 MiB and up */

extern uint64_t boot_gdt[];

static struct {
	uint64_t random;
	uint8_t *sandbox; /* 2 MiB: all the memory that L2 has */
	uint64_t *ept[4]; /* root, pointers, directory, table */
	void *vmcs[VMCS_COUNT];
	bool launched[VMCS_COUNT];
	uint64_t entries, failures;
} fuzz;

/* True: the VMCS ran and exited. HOST_RSP and HOST_RIP are set here; L2 finds `rsi` in RSI. */
bool fuzz_enter(bool launched, uint64_t rsi);
__asm__(".globl fuzz_enter\n"
	"fuzz_enter:\n\t"
	"pushq %rbx\n\tpushq %rbp\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n\t"
	"movl $0x6c14, %eax\n\tvmwrite %rsp, %rax\n\t"
	"leaq 2f(%rip), %rcx\n\tmovl $0x6c16, %eax\n\tvmwrite %rcx, %rax\n\t"
	"testb %dil, %dil\n\tjnz 1f\n\t"
	"vmlaunch\n\tjmp 3f\n"
	"1:\tvmresume\n"
	"3:\txorl %eax, %eax\n\tjmp 4f\n"
	"2:\tmovl $1, %eax\n"
	"4:\tpopq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbp\n\tpopq %rbx\n\tret\n");

static const uint16_t fields[] = {
#define FIELD(name, encoding, exists, shadowed, rule) encoding,
#include "shadow/sdm/vmcs_fields.def"
#undef FIELD
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

static uint64_t next_random(void)
{
	fuzz.random ^= fuzz.random << 13;
	fuzz.random ^= fuzz.random >> 7;
	fuzz.random ^= fuzz.random << 17;
	return fuzz.random * UINT64_C(0x2545f4914f6cdd1d);
}

static uint64_t below(uint64_t limit)
{
	return (next_random() >> 16) % limit;
}

/* A page of some hypervisor beneath: what the memory map calls reserved above 1 MiB. */
static uint64_t reserved_address(void)
{
	const struct multiboot_memory *area = NULL;
	uint64_t found[8];
	unsigned count = 0;

	while ((area = multiboot_next_memory(area)))
		if (area->type != MULTIBOOT_RAM && area->base >= 0x100000 &&
		    area->base < 0xc0000000 && count < 8)
			found[count++] = area->base + (below(area->length) & ~UINT64_C(0xfff));
	return count ? found[below(count)] : UINT64_C(0x3fffff000);
}

/* Addresses that are not this guest's RAM, and some of the sandbox. */
static uint64_t hostile_address(void)
{
	switch (below(8)) {
	case 0:
	case 1:
	case 2:
		return reserved_address();
	case 3:
		return next_random() & UINT64_C(0x0000fffffffff000);
	case 4:
		return UINT64_C(1) << (32 + below(20));
	case 5:
		return reserved_address() + below(4096);
	case 6:
		return UINT64_MAX;
	default:
		return (uint64_t)fuzz.sandbox + (below(1u << 21) & ~UINT64_C(0xff));
	}
}

static uint64_t hostile_value(void)
{
	switch (below(6)) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return next_random();
	case 3:
		return UINT64_C(1) << below(64);
	default:
		return hostile_address();
	}
}

/* Leaf and table entries of any level, to nowhere good. */
static uint64_t hostile_entry(bool touch)
{
	uint64_t address = touch ? reserved_address() : hostile_address();

	if (touch)
		return (address & EPT_ADDRESS) | EPT_RWX | EPT_MT_WB;
	return (address & EPT_ADDRESS) | (next_random() & UINT64_C(0xfff)) |
	       (below(16) ? 0 : next_random() & ~EPT_ADDRESS);
}

static void build_l2_paging(bool hostile)
{
	uint64_t *pml4 = (uint64_t *)fuzz.sandbox, *pdpt = pml4 + 512, *low = pdpt + 512,
		 *high = low + 512;

	memset(fuzz.sandbox, 0, 5 * 4096);
	pml4[0] = 0x1000 | PTE_P | PTE_W;
	pdpt[0] = 0x2000 | PTE_P | PTE_W;
	if (hostile)
		pdpt[1] = 0x3000 | PTE_P | PTE_W;
	low[0] = PTE_P | PTE_W | PTE_PS;
	for (uint64_t i = 0; i < 512; i++)
		high[i] = i << 21 | PTE_P | PTE_W | PTE_PS;
}

/* l2_gpa [0, 2 MiB) is the sandbox; [2 MiB, 4 MiB) a table of hostile pages; the rest of the first
 * GiB hostile large pages, and some beyond. */
static void build_ept(bool touch)
{
	memset(fuzz.ept[0], 0, 4096);
	memset(fuzz.ept[1], 0, 4096);
	fuzz.ept[0][0] = (uint64_t)fuzz.ept[1] | EPT_RWX;
	fuzz.ept[1][0] = (uint64_t)fuzz.ept[2] | EPT_RWX;
	fuzz.ept[2][0] = (uint64_t)fuzz.sandbox | EPT_RWX | EPT_PS | EPT_MT_WB;
	fuzz.ept[2][1] = (uint64_t)fuzz.ept[3] | EPT_RWX;
	for (unsigned i = 2; i < 512; i++)
		fuzz.ept[2][i] = below(3) ? 0 : hostile_entry(touch) | (below(2) ? EPT_PS : 0);
	for (unsigned i = 0; i < 512; i++)
		fuzz.ept[3][i] = hostile_entry(touch);
	if (!below(8))
		fuzz.ept[1][1 + below(511)] = hostile_entry(touch);
	if (!below(8))
		fuzz.ept[0][1 + below(511)] = hostile_entry(touch);
}

/* Random bytes, VMCALLs after them; `touch`: MOV (%rsi), %rax first. */
static void build_l2_code(bool touch)
{
	static const uint8_t vmcall[] = {0x0f, 0x01, 0xc1},
			     load[] = {0x48, 0x8b, 0x06, 0x48, 0x89, 0x06};
	uint8_t *code = fuzz.sandbox + L2_CODE;

	for (unsigned i = 0; i < L2_CODE_SIZE; i++)
		code[i] = (uint8_t)(next_random() >> 24);
	if (touch)
		memcpy(code, load, sizeof(load));
	for (unsigned i = touch ? sizeof(load) : L2_CODE_SIZE; i + 3 < 2 * L2_CODE_SIZE; i += 3)
		memcpy(code + i, vmcall, sizeof(vmcall));
}

static void write_base(void)
{
	uint32_t pin = vmx_controls(MSR_IA32_VMX_PINBASED_CTLS, PIN_PREEMPTION_TIMER);
	uint32_t primary = vmx_controls(MSR_IA32_VMX_PROCBASED_CTLS,
					PRIMARY_UNCONDITIONAL_IO_EXITING | PRIMARY_HLT_EXITING |
						(uint32_t)PRIMARY_ACTIVATE_SECONDARY);
	const struct vmx_row rows[] = {
#define VMCS(field, value) {VMCS_##field, value},
#include "tests/guests/fuzzvmx.def"
#undef VMCS
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		(void)vmx_vmwrite(rows[i].field, rows[i].value);
	vmx_write_host_state();
}

/* L1's own life hangs on host state, on exit controls and on a timer that fires; everything else is
 * fair game. Lists of MSRs stay short, for time. */
static bool may_mutate(uint16_t field)
{
	if (vmcs_field_type(field) == VMCS_TYPE_HOST)
		return false;
	switch (field) {
	case VMCS_EXIT_CONTROLS:
	case VMCS_EXIT_MSR_LOAD_COUNT:
	case VMCS_PIN_BASED_CONTROLS:
	case VMCS_GUEST_ACTIVITY_STATE:
		return false;
	default:
		return true;
	}
}

static uint64_t mutation(uint16_t field)
{
	/* A store to an MSR that is none is a VMX abort, and the end. */
	if (field == VMCS_EXIT_MSR_STORE_COUNT)
		return !below(16);
	if (field == VMCS_ENTRY_MSR_LOAD_COUNT)
		return below(8);
	/* Stores to L1's memory go where they do no harm, or where they must not go. */
	if (vmcs_field_width(field) == VMCS_WIDTH_64 && vmcs_field_type(field) == VMCS_TYPE_CONTROL)
		return hostile_address();
	if (vmcs_field_width(field) == VMCS_WIDTH_32 &&
	    vmcs_field_type(field) == VMCS_TYPE_CONTROL && below(4))
		return vmx_vmread(field) ^ (UINT64_C(1) << below(32));
	return hostile_value();
}

static void mutate(unsigned count)
{
	while (count--) {
		uint16_t field = fields[below(FIELD_COUNT)];

		if (may_mutate(field))
			(void)vmx_vmwrite(field, mutation(field));
	}
	(void)vmx_vmwrite(VMCS_PREEMPTION_TIMER_VALUE, PREEMPTION_TICKS);
}

struct pointer_operand {
	uint64_t low, high;
};

static void random_instruction(void *argument)
{
	struct pointer_operand p = {hostile_value(), hostile_value()};
	uint64_t type = below(8) ? below(5) : next_random(), value;

	switch (below(8)) {
	case 0:
		__asm__ volatile("vmclear %0" : : "m"(p) : "cc", "memory");
		break;
	case 1:
		__asm__ volatile("vmptrld %0" : : "m"(p) : "cc", "memory");
		break;
	case 2:
		__asm__ volatile("vmxon %0" : : "m"(p) : "cc", "memory");
		break;
	case 3:
		__asm__ volatile("invept %0, %1" : : "m"(p), "r"(type) : "cc", "memory");
		break;
	case 4:
		__asm__ volatile("invvpid %0, %1" : : "m"(p), "r"(type) : "cc", "memory");
		break;
	case 5:
		__asm__ volatile("vmread %1, %0"
				 : "=r"(value)
				 : "r"(next_random() & 0x7fff)
				 : "cc");
		break;
	case 6:
		__asm__ volatile("vmptrst %0" : "=m"(p) : : "cc", "memory");
		break;
	default: /* operand in memory that is not there for L1's paging */
		__asm__ volatile("vmptrld (%0)" : : "r"(next_random()) : "cc", "memory");
		break;
	}
}

/* What L2 loaded from a hostile page, if it got that far. */
static void check_touch(void)
{
	uint64_t reason = vmx_vmread(VMCS_EXIT_REASON);

	if (reason != EXIT_REASON_VMCALL)
		return;
	printf("L2 reached the hypervisor's memory\n");
	runtime_exit(FUZZ_REACHED);
}

static void round_of(bool touch)
{
	struct trap_info info;
	unsigned slot = (unsigned)below(VMCS_COUNT);

	for (unsigned i = below(4); i; i--)
		(void)trap_catch(&info, random_instruction, NULL);
	if (!below(4)) {
		if (!vmx_vmclear(fuzz.vmcs[slot]))
			runtime_panic(FUZZ_BROKEN, "VMCLEAR of a good address failed");
		fuzz.launched[slot] = false;
	}
	if (!vmx_vmptrld(fuzz.vmcs[slot]))
		runtime_panic(FUZZ_BROKEN, "VMPTRLD of a good address failed");
	build_l2_paging(touch || !below(64));
	build_l2_code(touch);
	if (!below(4))
		build_ept(touch);
	write_base();
	if (!touch)
		mutate((unsigned)below(6));
	fuzz.entries++;
	if (!fuzz_enter(fuzz.launched[slot], L2_LINEAR_HOSTILE + (1u << 21) + below(1u << 21))) {
		fuzz.failures++;
		return;
	}
	if (!(vmx_vmread(VMCS_EXIT_REASON) & EXIT_REASON_ENTRY_FAILURE))
		fuzz.launched[slot] = true;
	if (touch)
		check_touch();
}

int main(void)
{
	uint64_t rounds = multiboot_option("rounds", 200);
	bool touch = multiboot_has_word("touch");
	const char *refused = vmx_start();

	if (refused)
		runtime_panic(FUZZ_BROKEN, "fuzzvmx: %s", refused);
	fuzz.random = multiboot_option("seed", 1) * UINT64_C(0x9e3779b97f4a7c15) + 1;
	fuzz.sandbox = (uint8_t *)multiboot_find_ram(1u << 21, 1u << 21);
	for (unsigned i = 0; i < 4; i++)
		fuzz.ept[i] = page_alloc();
	for (unsigned i = 0; i < VMCS_COUNT; i++) {
		fuzz.vmcs[i] = vmx_new_vmcs();
		if (!fuzz.vmcs[i])
			runtime_panic(FUZZ_BROKEN, "fuzzvmx: no VMCS");
	}
	build_ept(touch);
	for (uint64_t i = 0; i < rounds; i++)
		round_of(touch);
	printf("rounds=%lu entries=%lu failed=%lu\n", rounds, fuzz.entries, fuzz.failures);
	return STATUS_OK;
}
