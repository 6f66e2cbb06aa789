/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The loop around KVM_RUN, and the watchdog over it: a KVM that cannot run its guest may stay in
 * the kernel for ever, deaf to signals, and then the process says so and ends.
 */
#include "l0/machine/kvm/kvm.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "l0/machine/command.h"
#include "l0/machine/console.h"

/* Seconds between looks, and looks without an answer before KVM is given up. */
#define WATCH_S 1
#define WATCH_PATIENCE 5

static pthread_t runner;

void kvm_poke(struct cpu *cpu)
{
	kvm_of(cpu)->run->immediate_exit = 1;
}

/* HLT with interrupts off waits inside KVM; only an NMI could end it, and nothing here sends one.
 */
static bool halted_for_good(struct kvm_cpu *cpu)
{
	struct kvm_mp_state state;

	return !cpu->run->if_flag && !ioctl(cpu->vcpu, KVM_GET_MP_STATE, &state) &&
	       state.mp_state == KVM_MP_STATE_HALTED && !kvm_nested_wakes(cpu);
}

/* Each look kicks the vCPU out of KVM_RUN; one that does not come is not coming. */
static void *watch(void *opaque)
{
	struct kvm_cpu *cpu = opaque;
	unsigned patience = WATCH_PATIENCE;
	uint64_t seen = 0;

	for (;;) {
		sleep(WATCH_S);
		if (!cpu->inside || cpu->returns != seen)
			patience = WATCH_PATIENCE;
		seen = cpu->returns;
		if (!patience--) {
			console_restore_terminal();
			fprintf(stderr, "abyme run: KVM does not come back from the guest: this "
					"host's KVM cannot run this image; try --machine interp\n");
			_exit(STATUS_ERROR);
		}
		cpu->run->immediate_exit = 1;
		pthread_kill(runner, SIGRTMIN);
	}
	return NULL;
}

static void watch_start(struct kvm_cpu *cpu)
{
	sigset_t all, before;

	/* Signals are the runner's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	runner = pthread_self();
	cpu->watched = !pthread_create(&cpu->watchdog, NULL, watch, cpu);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void watch_end(struct kvm_cpu *cpu)
{
	if (!cpu->watched)
		return;
	pthread_cancel(cpu->watchdog);
	pthread_join(cpu->watchdog, NULL);
	cpu->watched = false;
}

static void enter(struct kvm_cpu *cpu)
{
	kvm_log_entry(cpu);
	kvm_follow_legacy(cpu);
	cpu->inside = true;
	int result = ioctl(cpu->vcpu, KVM_RUN, 0);
	int error = errno;
	cpu->inside = false;
	cpu->returns++;
	if (!result) {
		kvm_handle_exit(cpu);
	} else if (error == EINTR || error == EAGAIN) {
		if (halted_for_good(cpu))
			machine_stop(cpu->machine, STOP_HALTED, 0);
	} else {
		cpu->machine->stop_reason = strerror(error);
		machine_stop(cpu->machine, STOP_ERROR, 0);
	}
}

void kvm_run_machine(struct cpu *opaque)
{
	struct kvm_cpu *cpu = kvm_of(opaque);
	struct machine *machine = cpu->machine;

	if (!kvm_clock_start(cpu)) {
		machine_stop(machine, STOP_ERROR, 0);
		return;
	}
	watch_start(cpu);
	for (;;) {
		/* First this, then the looks: whoever sets it again in between is heard. */
		cpu->run->immediate_exit = 0;
		event_run(&machine->events, kvm_now(opaque));
		if (machine->stop != STOP_NONE)
			break;
		kvm_clock_arm(cpu, event_next(&machine->events));
		enter(cpu);
	}
	watch_end(cpu);
	kvm_clock_stop(cpu);
	kvm_log_entry(cpu);
}
