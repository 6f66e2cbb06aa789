/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Routing of L2's exits by the rows of exit_routes.def.
 */
#ifndef SHADOW_ROUTE_H
#define SHADOW_ROUTE_H

#include "shadow/reflect.h"

/* An exit of L2 on its way; `as` is what L1 would be told. VMCS02 is current. */
struct l2_exit {
	struct shadow_vcpu *v;
	struct shadow_slot *slot;
	struct shadow_regs *regs;
	struct reflect_as as;
};

enum route { ROUTE_ASK, ROUTE_DONE, ROUTE_L0, ROUTE_L1 };

/* Handlers that come before the questions: ROUTE_ASK = ask them, ROUTE_DONE = L2 can go on. */
typedef enum route route_first(struct l2_exit *x);
route_first first_vmread, first_vmwrite, first_ept_violation, first_vmfunc, first_bitmapped,
    first_monitor_trap_flag;

/* Answers the questions for an exit of a known reason; unknown reasons are L0's. */
enum route route_l2_exit(struct l2_exit *x);

/* A fault that L0 finds in an instruction of L2's: L1's, as the exit that its exception bitmap asks
 * for (ROUTE_L1, x->as filled in), or injected (ROUTE_DONE). */
enum route route_fault(struct l2_exit *x, const struct vmx_result *fault);

/* The second question alone: does L1 want this exit? */
bool route_l1_asks(const struct l2_exit *x);

enum route_info { ROUTE_INFO_I = 1, ROUTE_INFO_L = 2, ROUTE_INFO_G = 4 };
/* Which of the optional exit fields the reason defines. */
extern const uint8_t route_infos[EXIT_REASON_COUNT];
static inline unsigned route_exit_info(uint32_t basic_reason)
{
	return basic_reason < EXIT_REASON_COUNT ? route_infos[basic_reason] : 0;
}

#endif
