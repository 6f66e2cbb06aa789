/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 16550A UART: registers and interrupts; facts from the National PC16550D data sheet. The
 * transmitter takes no time: THR is empty again right after it is written.
 */
#include "l0/machine/devices/uart_state.h"

/* The source that IIR shows, by the data sheet's priority. */
static uint8_t interrupt_source(const struct uart *uart)
{
	if (uart->ier & IER_RLS && uart->overrun)
		return IIR_RLS;
	if (uart->ier & IER_RDA && uart->fifo_used >= uart_fifo_trigger(uart))
		return IIR_RDA;
	if (uart->ier & IER_RDA && uart->timed_out)
		return IIR_TIMEOUT;
	if (uart->ier & IER_THRE && uart->thr_interrupt)
		return IIR_THRE;
	if (uart->ier & IER_MODEM && uart->msr & 0x0f)
		return IIR_MODEM;
	return IIR_NONE;
}

void uart_update(struct uart *uart)
{
	bool gate = uart->mcr & MCR_OUT2 && !(uart->mcr & MCR_LOOP);

	irq_set(uart->machine, uart->irq, gate && interrupt_source(uart) != IIR_NONE);
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
	if (toggled || (value & FCR_ENABLE && value & FCR_CLEAR_RX))
		uart_fifo_clear(uart);
	uart_receiver_start(uart);
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
		uart_receiver_start(uart);
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
		value = dlab ? uart->divisor : uart_rbr_read(uart);
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
	uart->ports = (struct region){ .base = base, .length = 8, .max_size = 1, .read = uart_read,
				       .write = uart_write, .opaque = uart };
	machine_add_ports(machine, &uart->ports);
	uart_receiver_init(uart);
	return uart;
}
