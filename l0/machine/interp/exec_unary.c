/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Families of one-operand arithmetic, shifts, rotates and the multiplication of two registers.
 */
#include "l0/machine/interp/families.h"
#include "l0/machine/interp/exec_template.h"

/* "e" forms are E forms without a source: same names, other template argument. */
FAMILY_E(inc, ALU_INC, e, SOURCE_NONE)
FAMILY_E(dec, ALU_DEC, e, SOURCE_NONE)
FAMILY_E(neg, ALU_NEG, e, SOURCE_NONE)
FAMILY_E_PLAIN(not, ALU_NOT, e, SOURCE_NONE)

FAMILY_E(shl, ALU_SHL, ei, SOURCE_IMM)
FAMILY_E(shr, ALU_SHR, ei, SOURCE_IMM)
FAMILY_E(sar, ALU_SAR, ei, SOURCE_IMM)
FAMILY_E(rol, ALU_ROL, ei, SOURCE_IMM)
FAMILY_E(ror, ALU_ROR, ei, SOURCE_IMM)
FAMILY_E(shl, ALU_SHL, ec, SOURCE_CL)
FAMILY_E(shr, ALU_SHR, ec, SOURCE_CL)
FAMILY_E(sar, ALU_SAR, ec, SOURCE_CL)
FAMILY_E(rol, ALU_ROL, ec, SOURCE_CL)
FAMILY_E(ror, ALU_ROR, ec, SOURCE_CL)

FAMILY_GE(imul, ALU_IMUL)
