/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 16550A UART. The line is a pair of calls; `put` takes a byte at once, `get` gives the next
 * received byte or a value of console.h (CONSOLE_EMPTY: ask again later, CONSOLE_END: never again).
 */
#ifndef L0_MACHINE_DEVICES_UART_H
#define L0_MACHINE_DEVICES_UART_H

#include <stdint.h>

struct machine;
struct uart;

struct uart_line {
	void (*put)(void *opaque, uint8_t byte);
	int (*get)(void *opaque); /* NULL: nothing is connected to the receiver */
	void *opaque;
};

/* As firmware leaves it: 115200 8N1, DTR and RTS on, no interrupts. */
struct uart *uart_create(struct machine *machine, uint16_t base, unsigned irq,
			 const struct uart_line *line);

#endif
