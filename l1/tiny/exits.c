/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What tiny does for its guest, one row and one handler per exit reason. A handler's answer: go on
 * after the instruction, go on at it, or give up.
 */
#include "l1/tiny/tiny.h"

#include <stddef.h>

#include "l1/lib/cpu.h"
#include "l1/lib/trap.h"
#include "l1/lib/vmx.h"

enum answer { ADVANCE, RETRY, GIVE_UP };

#define CPUID_1_ECX_VMX BIT32(5)
#define CPUID_1_ECX_OSXSAVE BIT32(27)
#define CPUID_1_ECX_HYPERVISOR BIT32(31)
#define CPUID_HYPERVISOR 0x40000000
#define IO_IN BIT64(3)
#define IO_STRING BIT64(4)

static uint64_t counts[EXIT_REASON_COUNT];

/* The exception is delivered at the next VM entry (SDM 3C "Event Injection"). */
static enum answer inject(enum x86_vector vector, bool has_error)
{
	vmx_vmwrite(VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0);
	vmx_vmwrite(VMCS_ENTRY_INTERRUPTION_INFO,
		    INTR_INFO_VALID | INTR_TYPE_HARDWARE_EXCEPTION << INTR_INFO_TYPE_SHIFT |
			    (has_error ? INTR_INFO_ERROR_CODE : 0) | vector);
	return RETRY;
}

/* The guest sees the CPU without VMX and with a hypervisor. */
static enum answer on_cpuid(struct guest *guest)
{
	uint32_t leaf = (uint32_t)guest->gpr[REG_RAX];
	struct cpuid out = cpuid(leaf, (uint32_t)guest->gpr[REG_RCX]);

	if (leaf == 1) {
		out.ecx &= ~(CPUID_1_ECX_VMX | CPUID_1_ECX_OSXSAVE);
		out.ecx |= CPUID_1_ECX_HYPERVISOR;
		if (vmx_vmread(VMCS_GUEST_CR4) & CR4_OSXSAVE)
			out.ecx |= CPUID_1_ECX_OSXSAVE;
	} else if (leaf == CPUID_HYPERVISOR) { /* "tinytinytiny" */
		out = (struct cpuid){CPUID_HYPERVISOR, 0x796e6974, 0x796e6974, 0x796e6974};
	}
	guest->gpr[REG_RAX] = out.eax;
	guest->gpr[REG_RBX] = out.ebx;
	guest->gpr[REG_RCX] = out.ecx;
	guest->gpr[REG_RDX] = out.edx;
	return ADVANCE;
}

/* The next VM entry puts the CPU to sleep in the guest; so the waking interrupt goes there too. */
static enum answer on_hlt(struct guest *guest)
{
	if (rdmsr(MSR_IA32_VMX_MISC) & VMX_MISC_ACTIVITY_HLT)
		vmx_vmwrite(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
	return ADVANCE;
}

/* RAX = how many exits of the reason in RAX there were so far. */
static enum answer on_vmcall(struct guest *guest)
{
	uint64_t reason = guest->gpr[REG_RAX];

	guest->gpr[REG_RAX] = reason < EXIT_REASON_COUNT ? counts[reason] : UINT64_MAX;
	return ADVANCE;
}

static void port_out(uint16_t port, unsigned size, uint32_t value)
{
	if (size == 1)
		outb(port, (uint8_t)value);
	else if (size == 2)
		outw(port, (uint16_t)value);
	else
		outl(port, value);
}

/* AL and AX leave the rest of RAX as it is, EAX zeroes it. */
static void port_in(uint16_t port, unsigned size, uint64_t *rax)
{
	if (size == 1)
		*rax = (*rax & ~UINT64_C(0xff)) | inb(port);
	else if (size == 2)
		*rax = (*rax & ~UINT64_C(0xffff)) | inw(port);
	else
		*rax = inl(port);
}

/* Qualification, SDM 3C "Exit Qualification for I/O Instructions": 2:0 size - 1 | 3 in | 4 string |
 * 31:16 port. Only TINY_PORT comes here, and nobody uses string instructions on it. */
static enum answer on_io(struct guest *guest)
{
	uint64_t qualification = vmx_vmread(VMCS_EXIT_QUALIFICATION);
	unsigned size = (qualification & 7) + 1;
	uint16_t port = (uint16_t)(qualification >> 16);

	if (qualification & IO_STRING)
		return GIVE_UP;
	if (qualification & IO_IN)
		port_in(port, size, &guest->gpr[REG_RAX]);
	else
		port_out(port, size, (uint32_t)guest->gpr[REG_RAX]);
	return ADVANCE;
}

/* Only what belongs to VMX is intercepted, and the guest has no VMX. */
static enum answer on_msr(struct guest *guest)
{
	return inject(VECTOR_GP, true);
}

/* Only an attempt to set CR4.VMXE exits. */
static enum answer on_cr_access(struct guest *guest)
{
	return inject(VECTOR_GP, true);
}

static enum answer on_vmx_instruction(struct guest *guest)
{
	return inject(VECTOR_UD, false);
}

static void xsetbv(void *argument)
{
	const struct guest *guest = argument;

	__asm__ volatile("xsetbv"
			 :
			 : "c"((uint32_t)guest->gpr[REG_RCX]), "a"((uint32_t)guest->gpr[REG_RAX]),
			   "d"((uint32_t)guest->gpr[REG_RDX]));
}

/* Executed for the guest; what the CPU refuses, the guest gets to feel. */
static enum answer on_xsetbv(struct guest *guest)
{
	struct trap_info info;

	return trap_catch(&info, xsetbv, guest) ? inject(VECTOR_GP, true) : ADVANCE;
}

/* An event was on its way to the guest when its stack or a table turned out not to be mapped: it sets
 * out again (SDM 3C "Information for VM Exits That Occur During Event Delivery"). Likewise NMIs, which
 * IRET had unblocked ("Exit Qualification for EPT Violations"). */
static void deliver_again(void)
{
	uint64_t info = vmx_vmread(VMCS_IDT_VECTORING_INFO);

	if (info & INTR_INFO_VALID) {
		vmx_vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, info & ~(uint64_t)INTR_INFO_NMI_UNBLOCKING);
		vmx_vmwrite(VMCS_ENTRY_EXCEPTION_ERROR_CODE,
			    vmx_vmread(VMCS_IDT_VECTORING_ERROR_CODE));
		vmx_vmwrite(VMCS_ENTRY_INSTRUCTION_LENGTH,
			    vmx_vmread(VMCS_EXIT_INSTRUCTION_LENGTH));
	} else if (vmx_vmread(VMCS_EXIT_QUALIFICATION) & EPT_QUAL_NMI_UNBLOCKING) {
		vmx_vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE,
			    vmx_vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) |
				    INTERRUPTIBILITY_NMI);
	}
}

static enum answer on_ept_violation(struct guest *guest)
{
	if (!ept_map(vmx_vmread(VMCS_GUEST_PHYSICAL_ADDRESS)))
		return GIVE_UP;
	deliver_again();
	return RETRY;
}

static enum answer on_invd(struct guest *guest)
{
	__asm__ volatile("wbinvd" : : : "memory"); /* INVD would lose tiny's own writes */
	return ADVANCE;
}

static enum answer (*const handlers[EXIT_REASON_COUNT])(struct guest *guest) = {
	[EXIT_REASON_CPUID] = on_cpuid,
	[EXIT_REASON_HLT] = on_hlt,
	[EXIT_REASON_INVD] = on_invd,
	[EXIT_REASON_VMCALL] = on_vmcall,
	[EXIT_REASON_CR_ACCESS] = on_cr_access,
	[EXIT_REASON_IO_INSTRUCTION] = on_io,
	[EXIT_REASON_RDMSR] = on_msr,
	[EXIT_REASON_WRMSR] = on_msr,
	[EXIT_REASON_XSETBV] = on_xsetbv,
	[EXIT_REASON_EPT_VIOLATION] = on_ept_violation,
	[EXIT_REASON_GETSEC] = on_vmx_instruction,
	[EXIT_REASON_VMCLEAR] = on_vmx_instruction,
	[EXIT_REASON_VMLAUNCH] = on_vmx_instruction,
	[EXIT_REASON_VMPTRLD] = on_vmx_instruction,
	[EXIT_REASON_VMPTRST] = on_vmx_instruction,
	[EXIT_REASON_VMREAD] = on_vmx_instruction,
	[EXIT_REASON_VMRESUME] = on_vmx_instruction,
	[EXIT_REASON_VMWRITE] = on_vmx_instruction,
	[EXIT_REASON_VMXOFF] = on_vmx_instruction,
	[EXIT_REASON_VMXON] = on_vmx_instruction,
	[EXIT_REASON_INVEPT] = on_vmx_instruction,
	[EXIT_REASON_INVVPID] = on_vmx_instruction,
};

/* Past the instruction, and out of the shadow that STI or MOV SS cast on it. */
static void advance(void)
{
	vmx_vmwrite(VMCS_GUEST_RIP,
		    vmx_vmread(VMCS_GUEST_RIP) + vmx_vmread(VMCS_EXIT_INSTRUCTION_LENGTH));
	vmx_vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE,
		    vmx_vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) &
			    ~(uint64_t)(INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS));
}

bool exits_handle(struct guest *guest, uint32_t reason)
{
	enum answer answer;

	/* A triple fault, a failed entry: no handler, the guest has had it. */
	if (reason >= EXIT_REASON_COUNT || !handlers[reason])
		return false;
	counts[reason]++;
	answer = handlers[reason](guest);
	if (answer == ADVANCE)
		advance();
	return answer != GIVE_UP;
}
