/* SPDX-License-Identifier: BSD-2-Clause
 *
 * tiny's life: load the guest, set up VMX, and go round the loop for ever. See tiny.h. Option: lazy (the
 * guest's memory is mapped as it is touched).
 */
#include "l1/tiny/tiny.h"

#include "l1/lib/console.h"
#include "l1/lib/multiboot.h"
#include "l1/lib/paging.h"
#include "l1/lib/runtime.h"
#include "l1/lib/vmx.h"

/* image.ld puts the image at this symbol. */
__asm__(".globl image_base\n.set image_base, 0x1000000");
_Static_assert(TINY_BASE == 0x1000000, "image_base says the same");
extern char image_start[], image_end[];

uint64_t tiny_start(void)
{
	return (uint64_t)image_start & ~(PAGE_2M - 1);
}

uint64_t tiny_end(void)
{
	return ((uint64_t)image_end + PAGE_2M - 1) & ~(PAGE_2M - 1);
}

static const char *register_names[REG_COUNT] = {
	"rax", "rcx", "rdx", "rbx", "-",   "rbp", "rsi", "rdi",
	"r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15",
};

static void report(const struct guest *guest, uint32_t reason)
{
	const char *name = vmx_exit_reason_name(reason & EXIT_REASON_BASIC);

	printf("tiny: the guest ended by exit %u (%s)%s\n", reason & EXIT_REASON_BASIC,
	       name ? name : "unknown", reason & EXIT_REASON_ENTRY_FAILURE ? ", entry failed" : "");
	printf("qualification=%lx gpa=%lx interruption=%lx instruction_length=%lu\n",
	       vmx_vmread(VMCS_EXIT_QUALIFICATION), vmx_vmread(VMCS_GUEST_PHYSICAL_ADDRESS),
	       vmx_vmread(VMCS_EXIT_INTERRUPTION_INFO), vmx_vmread(VMCS_EXIT_INSTRUCTION_LENGTH));
	printf("rip=%lx cs=%lx rsp=%lx rflags=%lx cr0=%lx cr3=%lx cr4=%lx efer=%lx\n",
	       vmx_vmread(VMCS_GUEST_RIP), vmx_vmread(VMCS_GUEST_CS_SELECTOR),
	       vmx_vmread(VMCS_GUEST_RSP), vmx_vmread(VMCS_GUEST_RFLAGS),
	       vmx_vmread(VMCS_GUEST_CR0), vmx_vmread(VMCS_GUEST_CR3), vmx_vmread(VMCS_GUEST_CR4),
	       vmx_vmread(VMCS_GUEST_IA32_EFER));
	for (unsigned i = 0; i < REG_COUNT; i++) {
		if (i != REG_RSP)
			printf("%s=%lx ", register_names[i], guest->gpr[i]);
	}
	printf("\n");
}

int main(void)
{
	struct guest_start start = guest_load();
	struct guest guest = {0};
	uint32_t reason;

	vmcs_setup(&start, ept_build(tiny_start(), tiny_end(), multiboot_has_word("lazy")));
	guest.gpr[REG_RAX] = MULTIBOOT_MAGIC;
	guest.gpr[REG_RBX] = start.information;

	for (bool resume = false;; resume = true) {
		if (!tiny_enter(&guest, resume))
			runtime_panic(TINY_ENTRY_FAILED, "tiny: VM entry failed with error %lu",
				      vmx_vmread(VMCS_INSTRUCTION_ERROR));
		reason = (uint32_t)vmx_vmread(VMCS_EXIT_REASON);
		if (!exits_handle(&guest, reason))
			break;
	}
	report(&guest, reason);
	return TINY_GUEST_DIED;
}
