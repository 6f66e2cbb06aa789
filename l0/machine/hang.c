/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Looks for runs that get nowhere, at interruptions and returns, which are rare.
 */
#include "l0/machine/hang.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "l0/machine/levels.h"
#include "l0/machine/machine.h"
#include "shadow/sdm/vmx.h"

static struct hang_place *place_of(struct machine *machine, bool guest)
{
	return guest ? &machine->levels->rows[machine->levels->current].interrupted :
		       &machine->hang->root;
}

static void stop(struct machine *machine, const struct hang_interruption *what)
{
	static const char *const causes[] = {"exception", "interrupt", "exit"};
	struct hang *hang = machine->hang;
	char number[16];

	snprintf(number, sizeof(number), "%" PRIu32, what->number);
	snprintf(hang->text, sizeof(hang->text),
		 "L%u is interrupted at %" PRIx64 " again and again, by %s %s, and retires nothing",
		 what->guest ? levels_current(machine->levels) : 0, what->rip, causes[what->cause],
		 what->cause == HANG_EXIT ? vmx_exit_reason_name(what->number) : number);
	machine->stop_reason = hang->text;
	machine_stop(machine, STOP_HANG, 0);
}

/* Other interruptions come between, of a handler by a timer for one: a place is given up when they
 * are the majority. */
static void take_place(const struct hang *hang, struct hang_place *place,
		       const struct hang_interruption *what)
{
	if (place->count) {
		place->count--;
		return;
	}
	*place = (struct hang_place){.rip = what->rip, .slept = hang->slept};
	memcpy(place->gpr, what->gpr, sizeof(place->gpr));
}

/* A handler that is interrupted at once has been given another stack pointer. */
static bool is_there(const struct hang *hang, const struct hang_place *place,
		     const struct hang_interruption *what)
{
	if (place->rip != what->rip)
		return false;
	for (unsigned i = 0; i < REG_COUNT && !what->reads; i++)
		if (place->gpr[i] != what->gpr[i] && !(i == REG_RSP && hang->in_handler))
			return false;
	return true;
}

void hang_saw_interruption(struct machine *machine, const struct hang_interruption *what)
{
	struct hang *hang = machine->hang;

	if (!hang)
		return;
	struct hang_place *place = place_of(machine, what->guest);

	if (!is_there(hang, place, what)) {
		take_place(hang, place, what);
	} else if (hang->given != what->retired || hang->slept != place->slept) {
		place->slept = hang->slept; /* an idle CPU has time to wait */
		place->count = 0;
	} else if (++place->count >= hang->limit) {
		stop(machine, what);
	}
}

/* To elsewhere on the same stack: it has been helped over the place. */
void hang_saw_return(struct machine *machine, bool guest, uint64_t rip, uint64_t rsp,
		     uint64_t retired)
{
	if (!machine->hang)
		return;
	struct hang_place *place = place_of(machine, guest);

	machine->hang->given = retired;
	machine->hang->in_handler = false;
	if (place->count && place->rip != rip && place->gpr[REG_RSP] == rsp)
		place->count = 0;
}

void hang_saw_delivery(struct machine *machine, uint64_t retired)
{
	if (!machine->hang)
		return;
	machine->hang->given = retired;
	machine->hang->in_handler = true;
}

void hang_saw_sleep(struct machine *machine, bool deaf, uint64_t retired)
{
	struct hang *hang = machine->hang;

	if (!hang)
		return;
	hang->slept++;
	if (!deaf || retired != hang->deaf_at) {
		hang->deaf_at = retired;
		hang->deaf = 0;
	} else if (++hang->deaf >= hang->limit) {
		machine->stop_reason = "the CPU sleeps with interrupts off, and no event wakes it";
		machine_stop(machine, STOP_HANG, 0);
	}
}

void hang_saw_entry(struct machine *machine, uint64_t vmcs, const char *failure)
{
	struct hang *hang = machine->hang;

	if (!hang)
		return;
	if (!failure) {
		if (vmcs == hang->failed_vmcs)
			hang->failures = 0;
		return;
	}
	if (vmcs != hang->failed_vmcs || strcmp(failure, hang->failure)) {
		hang->failures = 0;
		hang->failed_vmcs = vmcs;
		snprintf(hang->failure, sizeof(hang->failure), "%s", failure);
	}
	if (++hang->failures >= hang->limit) {
		machine->stop_reason = "the same VM entry fails again and again";
		machine_stop(machine, STOP_HANG, 0);
	}
}
