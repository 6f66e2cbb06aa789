/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Receiver of the 16550A: FIFO, character times, character timeout. The line gives a byte per
 * character time while RTS is on and there is room, so nothing is lost that a real line with flow
 * control keeps.
 */
#include "l0/machine/console.h"
#include "l0/machine/devices/uart_state.h"

#define UART_CLOCK UINT64_C(1843200)
#define POLL_INTERVAL (MACHINE_HZ / 1000)

static unsigned fifo_room(const struct uart *uart)
{
	return (uart->fcr & FCR_ENABLE ? FIFO_SIZE : 1) - uart->fifo_used;
}

unsigned uart_fifo_trigger(const struct uart *uart)
{
	static const uint8_t trigger[] = { 1, 4, 8, 14 };

	return uart->fcr & FCR_ENABLE ? trigger[uart->fcr >> 6] : 1;
}

/* Cycles that a character occupies on the line: start, data, parity, stop bits. */
static uint64_t character_time(const struct uart *uart)
{
	unsigned bits = 1 + 5 + (uart->lcr & 3) + (uart->lcr >> 3 & 1) + 1 + (uart->lcr >> 2 & 1);
	uint64_t divisor = uart->divisor ? uart->divisor : 0x10000;

	return bits * 16 * divisor * MACHINE_HZ / UART_CLOCK;
}

void uart_receive(struct uart *uart, uint8_t byte)
{
	if (!fifo_room(uart)) {
		uart->overrun = true;
		if (!(uart->fcr & FCR_ENABLE)) /* without FIFO the new character replaces the old */
			uart->fifo[uart->fifo_next] = byte;
	} else {
		uart->fifo[(uart->fifo_next + uart->fifo_used++) % FIFO_SIZE] = byte;
	}
	if (uart->fcr & FCR_ENABLE)
		machine_schedule(uart->machine, &uart->timeout,
				 machine_now(uart->machine) + 4 * character_time(uart));
	uart_update(uart);
}

static bool receiver_open(const struct uart *uart)
{
	return uart->line.get && !uart->line_ended && uart->mcr & MCR_RTS &&
	       !(uart->mcr & MCR_LOOP) && fifo_room(uart);
}

void uart_receiver_start(struct uart *uart)
{
	if (receiver_open(uart) && !uart->arrival.queued)
		machine_schedule(uart->machine, &uart->arrival,
				 machine_now(uart->machine) + character_time(uart));
}

static void arrival_fire(void *opaque)
{
	struct uart *uart = opaque;

	if (!receiver_open(uart))
		return;
	int byte = uart->line.get(uart->line.opaque);
	if (byte >= 0)
		uart_receive(uart, byte);
	uart->line_ended = byte == CONSOLE_END;
	if (byte == CONSOLE_EMPTY)
		machine_schedule(uart->machine, &uart->arrival,
				 machine_now(uart->machine) + POLL_INTERVAL);
	else
		uart_receiver_start(uart);
}

static void timeout_fire(void *opaque)
{
	struct uart *uart = opaque;

	uart->timed_out = uart->fifo_used;
	uart_update(uart);
}

uint8_t uart_rbr_read(struct uart *uart)
{
	uint8_t byte = uart->fifo[uart->fifo_next];

	if (!uart->fifo_used)
		return 0;
	uart->fifo_next = (uart->fifo_next + 1) % FIFO_SIZE;
	uart->fifo_used--;
	uart->timed_out = false;
	if (uart->fifo_used)
		machine_schedule(uart->machine, &uart->timeout,
				 machine_now(uart->machine) + 4 * character_time(uart));
	else
		machine_cancel(uart->machine, &uart->timeout);
	uart_receiver_start(uart);
	return byte;
}

void uart_fifo_clear(struct uart *uart)
{
	uart->fifo_used = uart->fifo_next = 0;
	uart->timed_out = false;
	machine_cancel(uart->machine, &uart->timeout);
}

void uart_receiver_init(struct uart *uart)
{
	uart->arrival = (struct event){ .fire = arrival_fire, .opaque = uart };
	uart->timeout = (struct event){ .fire = timeout_fire, .opaque = uart };
	if (uart->line.get) /* power-on is time 0 */
		event_schedule(&uart->machine->events, &uart->arrival, character_time(uart));
}
