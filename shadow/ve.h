/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Virtualization exceptions (#VE) for L2, by software: VMCS02 never has the control set, because
 * EPT02's missing entries would raise them.
 */
#ifndef SHADOW_VE_H
#define SHADOW_VE_H

#include "shadow/ept12.h"
#include "shadow/route.h"

/* An EPT violation that EPT12 causes, x->as filled in: ROUTE_L1, or ROUTE_DONE if it became a #VE
 * that is injected into L2. */
enum route ve_convert(struct l2_exit *x, const struct ept12_walk *w, struct l2_gpa gpa);

#endif
