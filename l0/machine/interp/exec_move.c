/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Families of data movement that fit the common templates: MOV, MOVZX, MOVSX, MOVSXD, XCHG.
 */
#include "l0/machine/interp/families.h"
#include "l0/machine/interp/exec_template.h"

FAMILY_E_PLAIN(mov, ALU_MOV, eg, SOURCE_REG)
FAMILY_E_PLAIN(mov, ALU_MOV, ei, SOURCE_IMM)
FAMILY_E_PLAIN(xchg, ALU_XCHG, eg, SOURCE_REG)
FAMILY_GE_PLAIN(mov, ALU_MOV)
FAMILY_EXTEND(movzx8, 1, false)
FAMILY_EXTEND(movzx16, 2, false)
FAMILY_EXTEND(movsx8, 1, true)
FAMILY_EXTEND(movsx16, 2, true)
FAMILY_EXTEND(movsx32, 4, true)
