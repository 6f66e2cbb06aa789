/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The state in which a boot loader leaves the CPU, as KVM's registers.
 */
#include "l0/machine/kvm/kvm.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "l0/machine/boot.h"
#include "shadow/sdm/x86.h"

#define SEGMENT_CODE 11 /* execute, read, accessed */
#define SEGMENT_DATA 3  /* read, write, accessed */

static struct kvm_segment flat(uint16_t selector, unsigned type, bool code64)
{
	return (struct kvm_segment){ .limit = 0xffffffff,
				     .selector = selector,
				     .type = (uint8_t)type,
				     .present = 1,
				     .db = !code64,
				     .s = 1,
				     .l = code64,
				     .g = 1 };
}

/* Flat segments: code 0x10, data 0x18, as the Linux boot protocol has them. */
static void set_flat(struct kvm_sregs *sregs, const struct cpu_boot_state *state, bool code64)
{
	sregs->cs = flat(0x10, SEGMENT_CODE, code64);
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = flat(0x18, SEGMENT_DATA, false);
	sregs->gdt.base = state->gdt_base;
	sregs->gdt.limit = state->gdt_limit;
	sregs->idt.base = 0;
	sregs->idt.limit = 0;
	sregs->cr0 = CR0_PE | CR0_ET;
}

static void set_mode(struct kvm_sregs *sregs, const struct cpu_boot_state *state)
{
	sregs->cr0 = CR0_ET;
	switch (state->mode) {
	case BOOT_REAL:
		sregs->cs.base = 0;
		sregs->cs.selector = 0;
		break;
	case BOOT_PROTECTED32:
		set_flat(sregs, state, false);
		break;
	case BOOT_LONG64:
		set_flat(sregs, state, true);
		sregs->cr0 |= CR0_PG;
		sregs->cr3 = state->cr3;
		sregs->cr4 = CR4_PAE;
		sregs->efer = EFER_LME | EFER_LMA;
		break;
	}
}

bool kvm_boot(struct cpu *cpu, const struct cpu_boot_state *state)
{
	struct kvm_cpu *kvm = kvm_of(cpu);
	struct kvm_sregs sregs;
	struct kvm_regs regs = { .rax = state->rax,
				 .rbx = state->rbx,
				 .rsi = state->rsi,
				 .rsp = state->rsp,
				 .rip = state->rip,
				 .rflags = RFLAGS_FIXED1 };

	if (state->mode != BOOT_REAL && !kvm_host_has_hardware()) {
		fprintf(stderr, "abyme run: this host's KVM has no hardware virtualization and runs "
				"real-mode images only; try --machine interp\n");
		return false;
	}
	if (ioctl(kvm->vcpu, KVM_GET_SREGS, &sregs))
		return kvm_complain("registers");
	set_mode(&sregs, state);
	return (!ioctl(kvm->vcpu, KVM_SET_SREGS, &sregs) &&
		!ioctl(kvm->vcpu, KVM_SET_REGS, &regs)) ||
	       kvm_complain("registers");
}
