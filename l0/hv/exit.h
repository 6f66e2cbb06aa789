/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How an exit handler says what comes next. Handlers work on the current VMCS, whoever's it is.
 */
#ifndef L0_HV_EXIT_H
#define L0_HV_EXIT_H

#include "l0/hv/hv.h"

enum exit_next {
	EXIT_NEXT_SKIP,   /* the instruction is done */
	EXIT_NEXT_RESUME, /* as things are */
	EXIT_NEXT_UD,     /* the instruction faults */
	EXIT_NEXT_GP,     /* it faults, error code 0 */
};

#define EXIT_ROW(reason, handler, needs) enum exit_next handle_##handler(struct vcpu *vcpu);
#include "l0/hv/exits.def"
#undef EXIT_ROW

#endif
