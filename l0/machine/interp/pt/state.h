/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a CPU keeps for Intel Processor Trace, as part of struct cpu: the registers, and what the
 * packets so far have told. The calls are in pt.h.
 */
#ifndef L0_MACHINE_INTERP_PT_STATE_H
#define L0_MACHINE_INTERP_PT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#define PT_RANGES 2
#define PT_CALLS 64   /* return addresses that a decoder keeps */
#define PT_DEFERRED 8 /* TIP packets that wait for the TNT before them */

/* Where bytes go now: a region of the ToPA, or the single range. */
struct pt_region {
	uint64_t base, size;
	bool known, stop, interrupt;
};

struct pt {
	struct {
		uint64_t ctl, output_base, output_mask_ptrs, status, cr3_match;
		uint64_t addr[2 * PT_RANGES];
	} msr;	       /* XSAVE component 8 in its order */
	bool on;       /* TriggerEn: instructions are executed one by one and looked at */
	bool starting; /* from the next boundary on */
	bool crossing; /* a VM entry or exit is under way */
	bool crossed;  /* the last instruction was a VM entry */
	bool context, filter, packet; /* ContextEn, FilterEn, PacketEn */
	bool cr3_loaded, slept;	      /* since the last boundary */
	bool transaction;	      /* as MODE.TSX told last */
	uint8_t exec;		      /* as MODE.Exec told last */
	uint8_t tnt_count, deferred_count, calls, newest;
	uint64_t tnt; /* the youngest branch in bit 0 */
	uint64_t deferred[PT_DEFERRED];
	uint64_t call[PT_CALLS]; /* a ring */
	uint64_t last_ip;
	uint64_t art;	/* when MTC was last looked at */
	uint64_t cycle; /* of the last CYC packet */
	uint64_t seen;	/* cpu->insns at the last instruction that was told of */
	struct pt_region region;
};

#endif
