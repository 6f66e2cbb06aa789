/* SPDX-License-Identifier: BSD-2-Clause
 *
 * COM1 as the console, and a small printf.
 */
#include "l1/lib/console.h"

#include <stdbool.h>
#include <stdint.h>

#include "l1/lib/cpu.h"

#define COM1 0x3f8
#define UART_THR (COM1 + 0)
#define UART_IER (COM1 + 1)
#define UART_FCR (COM1 + 2)
#define UART_LCR (COM1 + 3)
#define UART_MCR (COM1 + 4)
#define UART_LSR (COM1 + 5)
#define LCR_DLAB 0x80
#define LCR_8N1 0x03
#define LSR_THR_EMPTY 0x20

void console_init(void)
{
	outb(UART_IER, 0);
	outb(UART_LCR, LCR_DLAB);
	outb(UART_THR, 1); /* divisor 1: 115200 */
	outb(UART_IER, 0);
	outb(UART_LCR, LCR_8N1);
	outb(UART_FCR, 0x07); /* FIFOs on and empty */
	outb(UART_MCR, 0x03); /* DTR, RTS */
}

void console_put(char c)
{
	while (!(inb(UART_LSR) & LSR_THR_EMPTY))
		cpu_relax();
	outb(UART_THR, (uint8_t)c);
}

struct spec {
	bool left, zero, is_long;
	unsigned width;
};

static void put_padded(const struct spec *spec, const char *text, unsigned length)
{
	unsigned pad = spec->width > length ? spec->width - length : 0;

	if (!spec->left) {
		while (pad) {
			console_put(spec->zero ? '0' : ' ');
			pad--;
		}
	}
	while (length--)
		console_put(*text++);
	while (pad--)
		console_put(' ');
}

static void put_string(const struct spec *spec, const char *text)
{
	unsigned length = 0;

	while (text[length])
		length++;
	put_padded(spec, text, length);
}

static void put_number(const struct spec *spec, uint64_t value, unsigned base, bool negative)
{
	char text[24];
	unsigned at = sizeof(text);

	do {
		text[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	if (negative)
		text[--at] = '-';
	put_padded(spec, text + at, sizeof(text) - at);
}

static const char *parse_spec(const char *at, struct spec *spec)
{
	*spec = (struct spec){0};
	for (;; at++) {
		if (*at == '-')
			spec->left = true;
		else if (*at == '0' && !spec->width)
			spec->zero = true;
		else if (*at >= '0' && *at <= '9')
			spec->width = spec->width * 10 + (unsigned)(*at - '0');
		else if (*at == 'l')
			spec->is_long = true;
		else
			return at;
	}
}

static void put_signed(const struct spec *spec, int64_t value)
{
	put_number(spec, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, value < 0);
}

void vprintf(const char *format, va_list arguments)
{
	struct spec spec;
	char c;

	for (; *format; format++) {
		if (*format != '%') {
			console_put(*format);
			continue;
		}
		format = parse_spec(format + 1, &spec);
		if (*format == 's') {
			put_string(&spec, va_arg(arguments, const char *));
		} else if (*format == 'c') {
			c = (char)va_arg(arguments, int);
			put_padded(&spec, &c, 1);
		} else if (*format == 'd') {
			put_signed(&spec, spec.is_long ? va_arg(arguments, int64_t)
						       : va_arg(arguments, int32_t));
		} else if (*format == 'u' || *format == 'x') {
			put_number(&spec,
				   spec.is_long ? va_arg(arguments, uint64_t)
						: va_arg(arguments, uint32_t),
				   *format == 'u' ? 10 : 16, false);
		} else if (*format == 'p') {
			put_number(&spec, va_arg(arguments, uint64_t), 16, false);
		} else {
			console_put(*format);
		}
	}
}

void printf(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
}
