/* SPDX-License-Identifier: BSD-2-Clause
 *
 * CPU backend 2: Linux KVM, with nested VMX where the host offers it. Only its table of operations
 * and its life are here.
 */
#include "l0/machine/kvm/kvm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

bool kvm_complain(const char *what)
{
	fprintf(stderr, "abyme run: KVM: %s: %s; try --machine interp\n", what, strerror(errno));
	return false;
}

static void kvm_destroy(struct cpu *opaque)
{
	struct kvm_cpu *cpu = kvm_of(opaque);

	if (cpu->run)
		munmap(cpu->run, cpu->run_size);
	for (unsigned i = 0; i < 3; i++) {
		int fd = (int[]){ cpu->vcpu, cpu->vm, cpu->kvm }[i];

		if (fd >= 0)
			close(fd);
	}
	free(cpu);
}

static struct cpu *kvm_create(struct machine *machine, const char *profile)
{
	char why[200];

	struct kvm_cpu *cpu = calloc(1, sizeof(*cpu));

	if (!cpu)
		return NULL;
	*cpu = (struct kvm_cpu){ .machine = machine, .vm = -1, .vcpu = -1 };
	cpu->kvm = kvm_open(why, sizeof(why));
	if (cpu->kvm < 0)
		fprintf(stderr, "abyme run: %s; try --machine interp\n", why);
	else if (kvm_make_vm(cpu) && kvm_make_vcpu(cpu))
		return (struct cpu *)cpu;
	kvm_destroy((struct cpu *)cpu);
	return NULL;
}

static void kvm_nmi(struct cpu *opaque)
{
	ioctl(kvm_of(opaque)->vcpu, KVM_NMI, 0);
}

/* INIT and SIPI reach a lone CPU through KVM's own local APIC. */
static void kvm_init(struct cpu *opaque)
{
}

static void kvm_sipi(struct cpu *opaque, uint8_t vector)
{
}

static void kvm_stats(struct cpu *opaque, struct cpu_stats *stats)
{
	*stats = (struct cpu_stats){ .cycles = kvm_now(opaque) };
}

const struct cpu_ops kvm_cpu_ops = {
	.name = "kvm",
	.create = kvm_create,
	.destroy = kvm_destroy,
	.boot = kvm_boot,
	.run = kvm_run_machine,
	.now = kvm_now,
	.poke = kvm_poke,
	.nmi = kvm_nmi,
	.init = kvm_init,
	.sipi = kvm_sipi,
	.stats = kvm_stats,
	.report_exits = kvm_report_exits,
	.probe = kvm_probe,
	.irq = kvm_irq,
};
