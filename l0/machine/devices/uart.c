/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 16550A UART; register facts from the National PC16550D data sheet. The transmitter takes no time:
 * THR is empty again right after it is written. The receiver gets a byte per character time while RTS
 * is on and there is room, so nothing is lost that a real line with flow control would keep.
 *
 *   IER  3 modem status  2 line status  1 THR empty  0 received data
 *   IIR  7:6 FIFOs on    3:1 source     0 none pending
 *   FCR  7:6 trigger     2 clear TX  1 clear RX  0 enable
 *   LCR  7 DLAB  6 break  5:3 parity  2 stop bits  1:0 word length - 5
 *   MCR  4 loop  3 OUT2 (gates the IRQ line in a PC)  2 OUT1  1 RTS  0 DTR
 *   LSR  7 FIFO error  6 TEMT  5 THRE  4 BI  3 FE  2 PE  1 OE  0 DR
 *   MSR  7 DCD  6 RI  5 DSR  4 CTS  3:0 their changes (RI: trailing edge)
 */
#include "l0/machine/devices/uart.h"

#include "l0/machine/console.h"
#include "l0/machine/machine.h"

#define UART_CLOCK UINT64_C(1843200)
#define FIFO_SIZE 16
#define POLL_INTERVAL (MACHINE_HZ / 1000)

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

static unsigned fifo_room(const struct uart *uart)
{
	return (uart->fcr & FCR_ENABLE ? FIFO_SIZE : 1) - uart->fifo_used;
}

static unsigned fifo_trigger(const struct uart *uart)
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

/* The source that IIR shows, by the data sheet's priority. */
static uint8_t interrupt_source(const struct uart *uart)
{
	if (uart->ier & IER_RLS && uart->overrun)
		return IIR_RLS;
	if (uart->ier & IER_RDA && uart->fifo_used >= fifo_trigger(uart))
		return IIR_RDA;
	if (uart->ier & IER_RDA && uart->timed_out)
		return IIR_TIMEOUT;
	if (uart->ier & IER_THRE && uart->thr_interrupt)
		return IIR_THRE;
	if (uart->ier & IER_MODEM && uart->msr & 0x0f)
		return IIR_MODEM;
	return IIR_NONE;
}

static void uart_update(struct uart *uart)
{
	bool gate = uart->mcr & MCR_OUT2 && !(uart->mcr & MCR_LOOP);

	irq_set(uart->machine, uart->irq, gate && interrupt_source(uart) != IIR_NONE);
}

static void uart_receive(struct uart *uart, uint8_t byte)
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

/* The next character is on its way if one may come and none is coming. */
static void receiver_start(struct uart *uart)
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
		receiver_start(uart);
}

static void timeout_fire(void *opaque)
{
	struct uart *uart = opaque;

	uart->timed_out = uart->fifo_used;
	uart_update(uart);
}

static uint8_t rbr_read(struct uart *uart)
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
	receiver_start(uart);
	return byte;
}

static void thr_write(struct uart *uart, uint8_t byte)
{
	uart->thr_interrupt = true; /* empty again */
	if (uart->mcr & MCR_LOOP)
		uart_receive(uart, byte);
	else
		uart->line.put(uart->line.opaque, byte);
}

static void fcr_write(struct uart *uart, uint8_t value)
{
	bool toggled = (uart->fcr ^ value) & FCR_ENABLE;

	uart->fcr = value & FCR_ENABLE ? value & 0xc9 : 0;
	if (toggled || (value & FCR_ENABLE && value & FCR_CLEAR_RX)) {
		uart->fifo_used = uart->fifo_next = 0;
		uart->timed_out = false;
		machine_cancel(uart->machine, &uart->timeout);
	}
	receiver_start(uart);
}

/* Modem inputs: a terminal that is always ready, or the outputs themselves in loopback. */
static void modem_update(struct uart *uart)
{
	uint8_t now = MSR_CTS | MSR_DSR | MSR_DCD;

	if (uart->mcr & MCR_LOOP)
		now = (uart->mcr & MCR_RTS ? MSR_CTS : 0) | (uart->mcr & MCR_DTR ? MSR_DSR : 0) |
		      (uart->mcr & MCR_OUT1 ? MSR_RI : 0) | (uart->mcr & MCR_OUT2 ? MSR_DCD : 0);
	uint8_t changed = (uart->msr ^ now) >> 4;
	if (now & MSR_RI) /* only the trailing edge counts */
		changed &= ~MSR_CHANGED_RI;
	uart->msr = now | (uart->msr & 0x0f) | changed;
}

static void ier_write(struct uart *uart, uint8_t value)
{
	/* Enabling the THR-empty interrupt while THR is empty requests it. */
	if (value & ~uart->ier & IER_THRE)
		uart->thr_interrupt = true;
	uart->ier = value & 0x0f;
}

static void divisor_write(struct uart *uart, unsigned shift, uint8_t value)
{
	uart->divisor = (uart->divisor & ~(0xff << shift)) | value << shift;
}

static void uart_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct uart *uart = opaque;
	bool dlab = uart->lcr & LCR_DLAB;

	switch (offset) {
	case 0:
		dlab ? divisor_write(uart, 0, value) : thr_write(uart, value);
		break;
	case 1:
		dlab ? divisor_write(uart, 8, value) : ier_write(uart, value);
		break;
	case 2:
		fcr_write(uart, value);
		break;
	case 3:
		uart->lcr = value;
		break;
	case 4:
		uart->mcr = value & 0x1f;
		modem_update(uart);
		receiver_start(uart);
		break;
	case 7:
		uart->scr = value;
		break;
	}
	uart_update(uart);
}

static uint8_t iir_read(struct uart *uart)
{
	uint8_t source = interrupt_source(uart);

	if (source == IIR_THRE)
		uart->thr_interrupt = false;
	return source | (uart->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static uint8_t lsr_read(struct uart *uart)
{
	uint8_t value = LSR_THRE | LSR_TEMT | (uart->fifo_used ? LSR_DR : 0) |
			(uart->overrun ? LSR_OE : 0);

	uart->overrun = false;
	return value;
}

static uint8_t msr_read(struct uart *uart)
{
	uint8_t value = uart->msr;

	uart->msr &= 0xf0;
	return value;
}

static uint64_t uart_read(void *opaque, uint64_t offset, unsigned size)
{
	struct uart *uart = opaque;
	bool dlab = uart->lcr & LCR_DLAB;
	uint8_t value = 0;

	switch (offset) {
	case 0:
		value = dlab ? uart->divisor : rbr_read(uart);
		break;
	case 1:
		value = dlab ? uart->divisor >> 8 : uart->ier;
		break;
	case 2:
		value = iir_read(uart);
		break;
	case 3:
		return uart->lcr;
	case 4:
		return uart->mcr;
	case 5:
		value = lsr_read(uart);
		break;
	case 6:
		value = msr_read(uart);
		break;
	case 7:
		return uart->scr;
	}
	uart_update(uart);
	return value;
}

struct uart *uart_create(struct machine *machine, uint16_t base, unsigned irq,
			 const struct uart_line *line)
{
	struct uart *uart = machine_alloc(machine, sizeof(*uart));

	uart->machine = machine;
	uart->line = *line;
	uart->irq = irq;
	uart->lcr = 3;
	uart->mcr = MCR_DTR | MCR_RTS;
	uart->msr = MSR_CTS | MSR_DSR | MSR_DCD;
	uart->divisor = 1;
	uart->arrival = (struct event){ .fire = arrival_fire, .opaque = uart };
	uart->timeout = (struct event){ .fire = timeout_fire, .opaque = uart };
	uart->ports = (struct region){ .base = base, .length = 8, .max_size = 1, .read = uart_read,
				       .write = uart_write, .opaque = uart };
	machine_add_ports(machine, &uart->ports);
	if (line->get) /* power-on is time 0 */
		event_schedule(&machine->events, &uart->arrival, character_time(uart));
	return uart;
}
