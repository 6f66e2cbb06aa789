/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Machine time is host time. A timer's signal brings KVM_RUN back when the earliest event is due.
 */
#include "l0/machine/kvm/kvm.h"

#include <signal.h>

#define NS_PER_S UINT64_C(1000000000)
_Static_assert(MACHINE_HZ == NS_PER_S, "machine time is in nanoseconds");

/* The signal's handler has no argument; one machine is run by a process. */
static struct kvm_run *interrupted;

static void on_due(int number)
{
	if (interrupted)
		interrupted->immediate_exit = 1;
}

static uint64_t host_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t kvm_now(struct cpu *cpu)
{
	return host_now() - kvm_of(cpu)->start;
}

bool kvm_clock_start(struct kvm_cpu *cpu)
{
	struct sigaction action = { .sa_handler = on_due, .sa_flags = SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };

	interrupted = cpu->run;
	sigaction(SIGRTMIN, &action, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, &cpu->timer))
		return kvm_complain("timer");
	cpu->has_timer = true;
	cpu->start = host_now();
	return true;
}

void kvm_clock_stop(struct kvm_cpu *cpu)
{
	if (cpu->has_timer)
		timer_delete(cpu->timer);
	interrupted = NULL;
}

void kvm_clock_arm(struct kvm_cpu *cpu, uint64_t when)
{
	uint64_t at = cpu->start + when;
	struct itimerspec spec = { .it_value = { .tv_sec = (time_t)(at / NS_PER_S),
						 .tv_nsec = (long)(at % NS_PER_S) } };

	if (when == EVENT_NEVER)
		spec.it_value = (struct timespec){ 0 };
	timer_settime(cpu->timer, TIMER_ABSTIME, &spec, NULL);
}
