/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The kernels of compute.c that have files of their own. A round takes the result of the round
 * before and gives its own; what it computes depends on nothing else.
 */
#ifndef L1_GUESTS_COMPUTE_COMPUTE_H
#define L1_GUESTS_COMPUTE_COMPUTE_H

#include <stdint.h>

#define BYTES (UINT64_C(64) << 10)

/* Data that kernels work on; what one leaves there is no other's business. */
extern uint64_t words[BYTES / 8], copies[BYTES / 8];

/* system.c */
uint64_t paging_round(uint64_t x);
uint64_t churn_round(uint64_t x);
uint64_t traps_round(uint64_t x);
uint64_t syscalls_round(uint64_t x);

/* numbers.c: floating point and vectors */
uint64_t double_round(uint64_t x);
uint64_t vector_round(uint64_t x);

/* strings.c */
uint64_t strings_round(uint64_t x);

#endif
