/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The KVM backend among itself: one virtual CPU, run by the process's main thread, with KVM's own
 * local APIC, IOAPIC, PICs and PIT; every other device is the machine's. Machine time is the
 * host's monotonic clock in nanoseconds, which makes it MACHINE_HZ.
 */
#ifndef L0_MACHINE_KVM_KVM_H
#define L0_MACHINE_KVM_KVM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "l0/machine/machine.h"
#include "traces/format/trap_log.h"

#define KVM_EXIT_REASONS 64

struct kvm_cpu {
	struct machine *machine;
	int kvm, vm, vcpu;
	struct kvm_run *run;
	size_t run_size;
	bool sync_regs;        /* KVM leaves the registers in `run` */
	uint64_t start;        /* host time at which machine time began */
	timer_t timer;         /* fires when the earliest event is due */
	bool has_timer;
	pthread_t watchdog;
	bool watched;
	volatile uint64_t returns; /* how often KVM_RUN came back: the watchdog's pulse */
	volatile bool inside;      /* KVM_RUN is under way */
	bool legacy_replaced;      /* KVM's PIT is silent */
	uint64_t exits[KVM_EXIT_REASONS];
	struct trap_record record; /* of the exit being handled */
	bool record_open;
};

static inline struct kvm_cpu *kvm_of(struct cpu *cpu)
{
	return (struct kvm_cpu *)cpu;
}

/* host.c. What this host's KVM can do. fd: of /dev/kvm, -1: none; `why` says in one line what is
 * missing. */
int kvm_open(char *why, size_t size);
/* The host's CPU has VMX or SVM that this system may use. */
bool kvm_host_has_hardware(void);
bool kvm_probe(char *why, size_t size);

/* setup.c. The VM with its memory, interrupt controllers and CPU. False: one line printed. */
bool kvm_make_vm(struct kvm_cpu *cpu) __attribute__((warn_unused_result));
bool kvm_make_vcpu(struct kvm_cpu *cpu) __attribute__((warn_unused_result));

/* irq.c */
bool kvm_route_interrupts(struct kvm_cpu *cpu) __attribute__((warn_unused_result));
void kvm_irq(struct cpu *opaque, unsigned gsi, bool level);
/* KVM's PIT does what the machine's legacy_replaced says; to be called before KVM_RUN. */
void kvm_follow_legacy(struct kvm_cpu *cpu);

/* state.c. False: one line printed. */
bool kvm_boot(struct cpu *cpu, const struct cpu_boot_state *state)
	__attribute__((warn_unused_result));

/* clock.c */
uint64_t kvm_now(struct cpu *cpu);
bool kvm_clock_start(struct kvm_cpu *cpu) __attribute__((warn_unused_result));
void kvm_clock_stop(struct kvm_cpu *cpu);
/* Has KVM_RUN interrupted at machine time `when`. */
void kvm_clock_arm(struct kvm_cpu *cpu, uint64_t when);

/* run.c */
void kvm_run_machine(struct cpu *cpu);
void kvm_poke(struct cpu *cpu);

/* nested.c. Whether a nested guest runs, or sleeps, that more than an NMI can wake with interrupts off:
 * its hypervisor wants interrupts as VM exits, or has set the VMX-preemption timer. */
bool kvm_nested_wakes(struct kvm_cpu *cpu);

/* exits.c */
void kvm_handle_exit(struct kvm_cpu *cpu);
void kvm_report_exits(struct cpu *cpu,
		      void (*emit)(void *opaque, const char *reason, uint64_t count), void *opaque);

/* log.c. Every exit to this process as a record of the machine's own stream. qualification and gpa
 * as VMX would report such an exit. */
void kvm_log_exit(struct kvm_cpu *cpu, uint32_t reason, uint64_t qualification, bool has_gpa,
		  uint64_t gpa);
void kvm_log_entry(struct kvm_cpu *cpu);

/* Prints "abyme run: KVM: what: strerror" and returns false. */
bool kvm_complain(const char *what);

#endif
