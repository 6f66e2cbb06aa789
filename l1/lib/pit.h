/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Counter 0 of the 8254 timer, which drives IRQ 0.
 */
#ifndef L1_LIB_PIT_H
#define L1_LIB_PIT_H

#include <stdint.h>

#define PIT_HZ 1193182
#define PIT_IRQ 0

/* Mode 2: an interrupt every `count` ticks of PIT_HZ (2 to 65535). */
void pit_start_periodic(uint16_t count);
/* Mode 0: one interrupt after `count` ticks. */
void pit_start_once(uint16_t count);
/* No more interrupts: mode 0 with no count written. */
void pit_stop(void);

#endif
