/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What this host's KVM can do: said before a run, in one line, instead of found out by a hang.
 */
#include "l0/machine/kvm/kvm.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CPUID_1_ECX_VMX (1u << 5)
#define CPUID_80000001_ECX_SVM (1u << 2)
#define CPUID_ENTRIES_MAX 256

/* What the backend is built on; a kernel without one of them is older than 4.8. */
static const struct {
	int cap;
	const char *what;
} needs[] = {
	{ KVM_CAP_USER_MEMORY, "user memory slots" },
	{ KVM_CAP_SET_TSS_ADDR, "a TSS address" },
	{ KVM_CAP_IRQCHIP, "interrupt controllers in the kernel" },
	{ KVM_CAP_PIT2, "a PIT in the kernel" },
	{ KVM_CAP_EXT_CPUID, "CPUID" },
	{ KVM_CAP_IMMEDIATE_EXIT, "immediate exit" },
};

int kvm_open(char *why, size_t size)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		snprintf(why, size, "/dev/kvm: %s", strerror(errno));
		return -1;
	}
	if (ioctl(fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
		snprintf(why, size, "/dev/kvm speaks another version than %d", KVM_API_VERSION);
		close(fd);
		return -1;
	}
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
		if (ioctl(fd, KVM_CHECK_EXTENSION, needs[i].cap) <= 0) {
			snprintf(why, size, "this kernel's KVM lacks %s", needs[i].what);
			close(fd);
			return -1;
		}
	return fd;
}

bool kvm_host_has_hardware(void)
{
	unsigned a, b, c, d;

	if (__get_cpuid(1, &a, &b, &c, &d) && (c & CPUID_1_ECX_VMX))
		return true;
	return __get_cpuid(0x80000001, &a, &b, &c, &d) && (c & CPUID_80000001_ECX_SVM);
}

/* Whether KVM would announce VMX to a guest. */
static bool offers_vmx(int fd)
{
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + CPUID_ENTRIES_MAX * sizeof(cpuid->entries[0]));
	bool found = false;

	if (!cpuid)
		return false;
	cpuid->nent = CPUID_ENTRIES_MAX;
	if (!ioctl(fd, KVM_GET_SUPPORTED_CPUID, cpuid))
		for (unsigned i = 0; i < cpuid->nent; i++)
			if (cpuid->entries[i].function == 1)
				found = cpuid->entries[i].ecx & CPUID_1_ECX_VMX;
	free(cpuid);
	return found;
}

bool kvm_probe(char *why, size_t size)
{
	int fd = kvm_open(why, size);

	if (fd < 0)
		return false;
	bool nested = kvm_host_has_hardware() && offers_vmx(fd);
	close(fd);
	if (nested)
		snprintf(why, size, "/dev/kvm offers nested VMX");
	else
		snprintf(why, size, kvm_host_has_hardware() ?
			 "/dev/kvm offers its guests no VMX (module option nested=1 of kvm-intel)" :
			 "/dev/kvm is there, but this CPU shows neither VMX nor SVM");
	return nested;
}
