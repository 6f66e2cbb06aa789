/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The AML of the DSDT: which devices the board has and what they occupy.
 */
#ifndef L0_MACHINE_DSDT_H
#define L0_MACHINE_DSDT_H

#include <stddef.h>
#include <stdint.h>

#define DSDT_MAX 1024
/* Writes the definition block's code, returns its length. */
size_t dsdt_build(uint8_t aml[DSDT_MAX]);

#endif
