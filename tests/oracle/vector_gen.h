/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Random vectors and XSAVE areas for the generator of instances.
 */
#ifndef TESTS_ORACLE_VECTOR_GEN_H
#define TESTS_ORACLE_VECTOR_GEN_H

#include "tests/oracle/insn_gen.h"

/* Two lanes of single precision or one of double, or what the integer instructions like. */
uint64_t vector_gen_quadword(uint64_t *seed);
/* x87, SSE and AVX state in the standard layout: TOP anywhere, all rounding modes, DAZ, FTZ, some
 * flags; exceptions mostly masked. */
void vector_gen_state(uint8_t *fx, uint64_t *seed);
/* At instance->target an area that XRSTOR may like: x87, SSE and AVX in either format, sometimes
 * with what it must not have. EDX:EAX asks for no more than these three, for the host's XCR0 may
 * have others. */
void vector_gen_xsave_area(struct insn_instance *instance, uint64_t *seed);

#endif
