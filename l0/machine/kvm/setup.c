/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The VM: memory slots, interrupt controllers, and a CPU that announces what KVM can offer, nested
 * VMX included.
 */
#include "l0/machine/kvm/kvm.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "shadow/sdm/msr.h"

/* Where KVM on Intel hosts keeps three pages for real mode: below the BIOS, in the PCI hole. */
#define IDENTITY_MAP UINT64_C(0xfffbc000)
#define TSS_PAGES UINT64_C(0xfffbd000)
#define CPUID_ENTRIES_MAX 256
#define CPUID_1_ECX_TSC_DEADLINE (1u << 24)
#define CPUID_1_ECX_HYPERVISOR (1u << 31)
#define CPUID_HYPERVISOR_LEAVES 0x40000000u

static bool add_memory(struct kvm_cpu *cpu, unsigned slot, uint64_t gpa, uint64_t size, void *host)
{
	struct kvm_userspace_memory_region region = { .slot = slot,
						      .guest_phys_addr = gpa,
						      .memory_size = size,
						      .userspace_addr = (uintptr_t)host };

	return !size || !ioctl(cpu->vm, KVM_SET_USER_MEMORY_REGION, &region) ||
	       kvm_complain("guest memory");
}

static bool make_interrupt_controllers(struct kvm_cpu *cpu)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

	if (ioctl(cpu->vm, KVM_CREATE_IRQCHIP, 0))
		return kvm_complain("interrupt controllers");
	if (!kvm_route_interrupts(cpu))
		return false;
	return !ioctl(cpu->vm, KVM_CREATE_PIT2, &pit) || kvm_complain("PIT");
}

bool kvm_make_vm(struct kvm_cpu *cpu)
{
	const struct memory *memory = &cpu->machine->memory;
	uint64_t identity = IDENTITY_MAP;

	cpu->vm = ioctl(cpu->kvm, KVM_CREATE_VM, 0);
	if (cpu->vm < 0)
		return kvm_complain("a virtual machine");
	if (ioctl(cpu->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity) ||
	    ioctl(cpu->vm, KVM_SET_TSS_ADDR, (unsigned long)TSS_PAGES))
		return kvm_complain("real-mode pages");
	return add_memory(cpu, 0, 0, memory->low_size, memory->low) &&
	       add_memory(cpu, 1, PCI_HOLE_END, memory->high_size, memory->high) &&
	       make_interrupt_controllers(cpu);
}

/* The machine is a PC and not "a KVM guest": no paravirtual leaves. The deadline timer is KVM's but
 * left to us to announce. */
static void adjust_cpuid(struct kvm_cpu *cpu, struct kvm_cpuid2 *cpuid)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];

		if ((entry->function & 0xffff0000) == CPUID_HYPERVISOR_LEAVES)
			continue;
		if (entry->function == 1) {
			entry->ebx &= 0x00ffffff; /* APIC ID 0 */
			entry->ecx &= ~CPUID_1_ECX_HYPERVISOR;
			if (ioctl(cpu->kvm, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
				entry->ecx |= CPUID_1_ECX_TSC_DEADLINE;
		}
		cpuid->entries[kept++] = *entry;
	}
	cpuid->nent = kept;
}

static bool set_cpuid(struct kvm_cpu *cpu)
{
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + CPUID_ENTRIES_MAX * sizeof(cpuid->entries[0]));
	bool ok = false;

	if (cpuid) {
		cpuid->nent = CPUID_ENTRIES_MAX;
		ok = !ioctl(cpu->kvm, KVM_GET_SUPPORTED_CPUID, cpuid);
		adjust_cpuid(cpu, cpuid);
		ok = ok && !ioctl(cpu->vcpu, KVM_SET_CPUID2, cpuid);
	}
	free(cpuid);
	return ok || kvm_complain("CPUID");
}

/* The host's microcode revision goes with its CPUID; KVM's default is older than any. */
static void set_microcode(struct kvm_cpu *cpu)
{
	union {
		struct kvm_msrs list;
		uint8_t room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
	} msrs = { .list.nmsrs = 1 };

	msrs.list.entries[0] = (struct kvm_msr_entry){ .index = MSR_IA32_BIOS_SIGN_ID };
	if (ioctl(cpu->kvm, KVM_GET_MSRS, &msrs) == 1)
		ioctl(cpu->vcpu, KVM_SET_MSRS, &msrs);
}

bool kvm_make_vcpu(struct kvm_cpu *cpu)
{
	int size = ioctl(cpu->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	int sync = ioctl(cpu->kvm, KVM_CHECK_EXTENSION, KVM_CAP_SYNC_REGS);

	cpu->vcpu = ioctl(cpu->vm, KVM_CREATE_VCPU, 0);
	if (cpu->vcpu < 0 || size < (int)sizeof(struct kvm_run))
		return kvm_complain("a virtual CPU");
	void *run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu->vcpu, 0);
	if (run == MAP_FAILED)
		return kvm_complain("the virtual CPU's page");
	cpu->run = run;
	cpu->run_size = (size_t)size;
	cpu->sync_regs = sync > 0 && (sync & KVM_SYNC_X86_REGS);
	if (cpu->sync_regs)
		cpu->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	/* The TSC runs at the machine's rate where the host can scale it; else guests measure it.
	 */
	ioctl(cpu->vcpu, KVM_SET_TSC_KHZ, (unsigned long)(MACHINE_HZ / 1000));
	set_microcode(cpu);
	return set_cpuid(cpu);
}
