/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The PC's two cascaded 8259A interrupt controllers with ELCR. Their common output is the CPU's
 * INTR by way of the local APIC's LINT0.
 */
#ifndef L0_MACHINE_DEVICES_PIC_H
#define L0_MACHINE_DEVICES_PIC_H

#include <stdbool.h>
#include <stdint.h>

struct machine;
struct pic;

/* Claims the ports; as firmware leaves it: initialised, vectors 0x08 and 0x70, everything
 * masked. */
struct pic *pic_create(struct machine *machine);
/* Input `irq` 0-15; 2 is the cascade and is ignored. */
void pic_set_irq(struct pic *pic, unsigned irq, bool level);
bool pic_output(const struct pic *pic);
/* The two INTA cycles: returns the vector; a spurious one if the request has gone away. */
uint8_t pic_ack(struct pic *pic);

#endif
