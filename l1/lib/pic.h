/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The two 8259A interrupt controllers, at vectors 0x20-0x2f, all lines masked at start.
 */
#ifndef L1_LIB_PIC_H
#define L1_LIB_PIC_H

#include <stdbool.h>
#include <stdint.h>

#define PIC_VECTOR 0x20

void pic_init(void);
void pic_unmask(unsigned irq);
void pic_mask(unsigned irq);
void pic_eoi(unsigned irq);

#endif
