/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Exceptions in the hypervisor itself: an NMI is the guest's and waits for the next entry, an
 * instruction listed in the fault table resumes where its row says, everything else is a panic.
 */
#include "l0/hv/hv.h"
#include "l0/hv/hw.h"

/* As entry.S pushes it. */
struct fault_frame {
	uint64_t regs[REG_COUNT];
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

struct fault_row {
	uint64_t at, resume;
};
extern const struct fault_row fault_table_start[], fault_table_end[];

extern const char entry_window[], entry_popping[], entry_vmresume[], entry_vmlaunch[];
extern const char entry_recheck[], entry_recheck_last[];

void fault_handle(struct fault_frame *frame);

static bool in(uint64_t rip, const char *start, const char *last)
{
	return rip >= (uintptr_t)start && rip <= (uintptr_t)last;
}

/* Waits for the test in entry.S, or is too late for it and goes back there: NMIs run on a stack of
 * their own, so what has been popped is still in its place. */
static void take_nmi(struct fault_frame *frame)
{
	uint64_t rip = frame->rip;

	hv_vcpu.attention |= HV_ATTENTION_NMI | HV_ATTENTION_NEW;
	if (rip == (uintptr_t)entry_vmlaunch || in(rip, entry_popping, entry_vmresume)) {
		frame->regs[REG_RAX] = !(frame->rflags & RFLAGS_ZF);
		frame->rsp = (uintptr_t)&hv_vcpu.regs;
	} else if (!in(rip, entry_window, entry_popping) &&
		   !in(rip, entry_recheck, entry_recheck_last)) {
		return;
	}
	frame->rip = (uintptr_t)entry_window;
}

void fault_handle(struct fault_frame *frame)
{
	if (frame->vector == VECTOR_NMI) {
		take_nmi(frame);
		return;
	}
	for (const struct fault_row *row = fault_table_start; row < fault_table_end; row++) {
		if (row->at == frame->rip) {
			frame->rip = row->resume;
			return;
		}
	}
	console_print("abyme: exception %lu (error %lx) at %lx, cr2 %lx\n", frame->vector,
		      frame->error, frame->rip, hw_read_cr2());
	for (unsigned i = 0; i < REG_COUNT; i++)
		console_print("r%02u=%016lx%c", i, i == REG_RSP ? frame->rsp : frame->regs[i],
			      i % 4 == 3 ? '\n' : ' ');
	hv_panic("the hypervisor faulted");
}
