/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Names for the rows of cost.def: COST_ALU and so on are cycles.
 */
#ifndef L0_MACHINE_INTERP_COST_H
#define L0_MACHINE_INTERP_COST_H

enum cost {
#define COST(name, cycles, why) COST_##name = (cycles),
#include "l0/machine/interp/cost.def"
#undef COST
};

#endif
