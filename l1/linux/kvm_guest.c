/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The smallest use of /dev/kvm: runs a virtual machine that executes a hundred CPUIDs, one OUT and
 * a HLT, prints each exit to user space and kvm=ok or where it failed. Linked statically.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUEST_MEMORY 0x10000
#define GUEST_STACK 0x8000
#define RUNS_MAX 8

/*	mov $100, %cx
 * 1:	push %cx; xor %eax, %eax; cpuid; pop %cx; loop 1b
 *	mov $'k', %al; out %al, $0x10; hlt		in 16-bit code */
static const uint8_t guest_code[] = {
	0xb9, 0x64, 0x00, 0x51, 0x66, 0x31, 0xc0, 0x0f, 0xa2,
	0x59, 0xe2, 0xf7, 0xb0, 0x6b, 0xe6, 0x10, 0xf4,
};

static _Noreturn void fail(const char *what)
{
	printf("kvm=failed at=%s error=%s\n", what, strerror(errno));
	exit(1);
}

static uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static void set_registers(int vcpu)
{
	struct kvm_regs regs = {.rsp = GUEST_STACK, .rflags = 2};
	struct kvm_sregs sregs;

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs))
		fail("KVM_GET_SREGS");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) || ioctl(vcpu, KVM_SET_REGS, &regs))
		fail("KVM_SET_REGS");
}

static void add_memory(int vm)
{
	uint8_t *memory = mmap(NULL, GUEST_MEMORY, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region region = {.memory_size = GUEST_MEMORY,
						     .userspace_addr = (uintptr_t)memory};

	if (memory == MAP_FAILED)
		fail("mmap");
	memcpy(memory, guest_code, sizeof(guest_code));
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region))
		fail("KVM_SET_USER_MEMORY_REGION");
}

/* Until HLT; the OUT on the way must say k. */
static bool run(int vcpu, const struct kvm_run *state)
{
	for (unsigned i = 0; i < RUNS_MAX; i++) {
		uint64_t start = rdtsc();

		if (ioctl(vcpu, KVM_RUN, 0))
			fail("KVM_RUN");
		printf("exit=%u cycles=%lu\n", state->exit_reason,
		       (unsigned long)(rdtsc() - start));
		if (state->exit_reason == KVM_EXIT_HLT) {
			printf("kvm=ok\n");
			return true;
		}
		if (state->exit_reason != KVM_EXIT_IO || state->io.port != 0x10 ||
		    *((const char *)state + state->io.data_offset) != 'k')
			break;
	}
	printf("kvm=failed at=exit\n");
	return false;
}

int main(void)
{
	int kvm, vm, vcpu;
	struct kvm_run *state;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		fail("/dev/kvm");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	add_memory(vm);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		fail("KVM_CREATE_VCPU");
	state = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
		     MAP_SHARED, vcpu, 0);
	if (state == MAP_FAILED)
		fail("mmap vcpu");
	set_registers(vcpu);
	return run(vcpu, state) ? 0 : 1;
}
