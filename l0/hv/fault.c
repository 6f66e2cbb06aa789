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

extern const char entry_window[], entry_window_end[], text_window[], text_window_end[];

void fault_handle(struct fault_frame *frame);

static bool in(uint64_t rip, const char *start, const char *end)
{
	return rip >= (uintptr_t)start && rip < (uintptr_t)end;
}

/* Waits for the test in entry.S, or is too late for it: then the VMCS that is about to be entered
 * is current, and the injection can be written from here. */
static void take_nmi(uint64_t rip)
{
	hv_vcpu.attention |= HV_ATTENTION_NMI;
	if (in(rip, entry_window, entry_window_end) || in(rip, text_window, text_window_end))
		guest_deliver_nmi(&hv_vcpu);
}

void fault_handle(struct fault_frame *frame)
{
	if (frame->vector == VECTOR_NMI) {
		take_nmi(frame->rip);
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
