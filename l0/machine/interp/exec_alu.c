/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Families of the two-operand arithmetic: ADD OR ADC SBB AND SUB XOR CMP TEST.
 */
#include "l0/machine/interp/families.h"
#include "l0/machine/interp/exec_template.h"

#define FAMILIES(name, ALU)                                                                        \
	FAMILY_E(name, ALU, eg, SOURCE_REG)                                                        \
	FAMILY_E(name, ALU, ei, SOURCE_IMM)                                                        \
	FAMILY_GE(name, ALU)

FAMILIES(add, ALU_ADD)
FAMILIES(or, ALU_OR)
FAMILIES(adc, ALU_ADC)
FAMILIES(sbb, ALU_SBB)
FAMILIES(and, ALU_AND)
FAMILIES(sub, ALU_SUB)
FAMILIES(xor, ALU_XOR)
FAMILIES(cmp, ALU_CMP)
FAMILY_E(test, ALU_TEST, eg, SOURCE_REG)
FAMILY_E(test, ALU_TEST, ei, SOURCE_IMM)
