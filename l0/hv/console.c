/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A polled 16550 and a small formatter. The UART is the guest's; writing to it changes none of its
 * registers but the transmit holding register.
 */
#include "l0/hv/console.h"

#include "l0/hv/hv.h"
#include "l0/hv/hw.h"

#define UART 0x3f8
#define UART_LINE_STATUS (UART + 5)
#define UART_THR_EMPTY 0x20
#define UART_PATIENCE 1000000u /* a machine without the UART must not stop here */

#define UART_LINE_CONTROL (UART + 3)
#define UART_8N1 0x03
#define UART_DLAB 0x80

/* If nobody has set the UART up, its characters have 5 bits. */
static void set_up(void)
{
	if ((hw_in8(UART_LINE_CONTROL) & UART_8N1) == UART_8N1)
		return;
	hw_out8(UART_LINE_CONTROL, UART_8N1 | UART_DLAB);
	hw_out8(UART, 1); /* divisor: 115200 baud */
	hw_out8(UART + 1, 0);
	hw_out8(UART_LINE_CONTROL, UART_8N1);
}

static void put(char c)
{
	unsigned tries = 0;

	if (c == '\n')
		put('\r');
	while (!(hw_in8(UART_LINE_STATUS) & UART_THR_EMPTY) && ++tries < UART_PATIENCE)
		hw_pause();
	hw_out8(UART, (uint8_t)c);
}

static void put_string(const char *s)
{
	while (*s)
		put(*s++);
}

static void put_number(uint64_t value, unsigned base, unsigned width)
{
	char digits[24];
	unsigned n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n < width && n < sizeof(digits))
		digits[n++] = '0';
	while (n)
		put(digits[--n]);
}

static uint64_t take_unsigned(va_list *args, bool is_long)
{
	return is_long ? va_arg(*args, uint64_t) : va_arg(*args, uint32_t);
}

static void put_conversion(char conversion, unsigned width, bool is_long, va_list *args)
{
	int64_t number;

	switch (conversion) {
	case 's':
		put_string(va_arg(*args, const char *));
		break;
	case 'c':
		put((char)va_arg(*args, int));
		break;
	case 'd':
		number = is_long ? va_arg(*args, int64_t) : va_arg(*args, int32_t);
		if (number < 0)
			put('-');
		put_number(number < 0 ? -(uint64_t)number : (uint64_t)number, 10, width);
		break;
	case 'u':
		put_number(take_unsigned(args, is_long), 10, width);
		break;
	case 'x':
		put_number(take_unsigned(args, is_long), 16, width);
		break;
	case 'p':
		put_number((uintptr_t)va_arg(*args, void *), 16, 16);
		break;
	default:
		put(conversion);
	}
}

void console_vprint(const char *format, va_list args)
{
	va_list copy;

	set_up();
	va_copy(copy, args);
	for (; *format; format++) {
		unsigned width = 0;
		bool is_long = false;

		if (*format != '%') {
			put(*format);
			continue;
		}
		for (format++; *format >= '0' && *format <= '9'; format++)
			width = width * 10 + (unsigned)(*format - '0');
		for (; *format == 'l'; format++)
			is_long = true;
		if (!*format)
			break;
		put_conversion(*format, width, is_long, &copy);
	}
	va_end(copy);
}

void console_print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	console_vprint(format, args);
	va_end(args);
}

void console_note(const char *format, ...)
{
	va_list args;

	if (!hv.options.verbose)
		return;
	va_start(args, format);
	console_vprint(format, args);
	va_end(args);
}
