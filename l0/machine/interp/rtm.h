/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Restricted transactional memory, SDM 1 "Programming with Intel Transactional Synchronization
 * Extensions". While a transaction is open, stores are not fast (SPACE_RTM withholds the TLB's
 * write tags) and code is decoded anew (MODE_RTM), with instructions that always abort doing just that;
 * outside of one all of it costs nothing.
 *
 * An abort's status in EAX:
 *   31:24 XABORT's immediate | 5 in a nested transaction | 4 debug or breakpoint exception
 *   3 capacity | 2 conflict, which one CPU never has | 1 may succeed on a retry | 0 XABORT
 */
#ifndef L0_MACHINE_INTERP_RTM_H
#define L0_MACHINE_INTERP_RTM_H

#include "l0/machine/interp/op.h"

#define RTM_MAX_NEST 7
enum rtm_status {
	RTM_XABORT = 1,
	RTM_RETRY = 2,
	RTM_CAPACITY = 8,
	RTM_DEBUG = 16,
	RTM_NESTED = 32,
	RTM_IMMEDIATE_SHIFT = 24,
};

static inline bool rtm_active(const struct cpu *cpu)
{
	return cpu->rtm.depth;
}

/* Between instructions: takes back everything since the outermost XBEGIN and goes to the fallback
 * address with `status` in EAX. The caller knows that a transaction is open. */
void rtm_abort(struct cpu *cpu, uint32_t status);
/* The same in the middle of an instruction, which leaves for the run loop. */
_Noreturn void rtm_abort_insn(struct cpu *cpu, uint32_t status);
/* Something asynchronous is about to be taken at this boundary: it finds no transaction. */
void rtm_interrupted(struct cpu *cpu);
/* An exception or interrupt, not yet delivered, has come up in a transaction, which ends. True:
 * *event, perhaps another one now, is to be delivered; false: nobody hears of it. */
bool rtm_meet_event(struct cpu *cpu, struct cpu_event *event);
/* A data access of a transaction is about to be made: to RAM or elsewhere, writing `written` bytes
 * at hpa (0: reading). May abort. */
void rtm_access(struct cpu *cpu, bool ram, uint64_t hpa, unsigned written);
/* Does an instruction always abort a transaction? By its handler (rtm.def), or its kind. */
struct insn_info;
bool rtm_insn_aborts(const struct insn_info *info);

#endif
