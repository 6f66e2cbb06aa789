/* SPDX-License-Identifier: BSD-2-Clause
 *
 * State of a 16550A, shared by uart.c (registers, interrupts) and uart_receiver.c; nobody else
 * includes it.
 *
 *   IER  3 modem status  2 line status  1 THR empty  0 received data
 *   IIR  7:6 FIFOs on    3:1 source     0 none pending
 *   FCR  7:6 trigger     2 clear TX  1 clear RX  0 enable
 *   LCR  7 DLAB  6 break  5:3 parity  2 stop bits  1:0 word length - 5
 *   MCR  4 loop  3 OUT2 (gates the IRQ line in a PC)  2 OUT1  1 RTS  0 DTR
 *   LSR  7 FIFO error  6 TEMT  5 THRE  4 BI  3 FE  2 PE  1 OE  0 DR
 *   MSR  7 DCD  6 RI  5 DSR  4 CTS  3:0 their changes (RI: trailing edge)
 */
#ifndef L0_MACHINE_DEVICES_UART_STATE_H
#define L0_MACHINE_DEVICES_UART_STATE_H

#include "l0/machine/devices/uart.h"
#include "l0/machine/machine.h"

#define FIFO_SIZE 16

#define IER_RDA 1
#define IER_THRE 2
#define IER_RLS 4
#define IER_MODEM 8
#define IIR_NONE 1
#define IIR_MODEM 0
#define IIR_THRE 2
#define IIR_RDA 4
#define IIR_RLS 6
#define IIR_TIMEOUT 12
#define IIR_FIFO 0xc0
#define FCR_ENABLE 1
#define FCR_CLEAR_RX 2
#define LCR_DLAB 0x80
#define MCR_DTR 1
#define MCR_RTS 2
#define MCR_OUT1 4
#define MCR_OUT2 8
#define MCR_LOOP 16
#define LSR_DR 1
#define LSR_OE 2
#define LSR_THRE 0x20
#define LSR_TEMT 0x40
#define MSR_CTS 0x10
#define MSR_DSR 0x20
#define MSR_RI 0x40
#define MSR_DCD 0x80
#define MSR_CHANGED_RI 4

struct uart {
	struct machine *machine;
	struct region ports;
	struct uart_line line;
	unsigned irq;
	uint8_t ier, lcr, mcr, msr, scr, fcr;
	uint16_t divisor;
	bool overrun, thr_interrupt, timed_out, line_ended;
	uint8_t fifo[FIFO_SIZE];
	unsigned fifo_next, fifo_used;
	struct event arrival, timeout;
};

/* IRQ line; uart.c. */
void uart_update(struct uart *uart);

/* uart_receiver.c */
void uart_receiver_init(struct uart *uart);
/* A character has come in, from the line or by loopback. */
void uart_receive(struct uart *uart, uint8_t byte);
/* The next character is on its way if one may come and none is coming. */
void uart_receiver_start(struct uart *uart);
uint8_t uart_rbr_read(struct uart *uart);
void uart_fifo_clear(struct uart *uart);
/* Characters that make the received-data interrupt. */
unsigned uart_fifo_trigger(const struct uart *uart);

#endif
