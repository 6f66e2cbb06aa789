/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 16550A: registers, FIFO levels, interrupt priorities and clearing, loopback, arrival times.
 */
#include <string.h>

#include "l0/machine/console.h"
#include "l0/machine/devices/uart.h"
#include "tests/l0/machine/fixture.h"

#define PORT 0x2e8 /* one of our own, with a line that the test feeds */
#define IRQ 5
#define RBR (PORT + 0)
#define THR (PORT + 0)
#define IER (PORT + 1)
#define IIR (PORT + 2)
#define FCR (PORT + 2)
#define LCR (PORT + 3)
#define MCR (PORT + 4)
#define LSR (PORT + 5)
#define MSR (PORT + 6)
#define SCR (PORT + 7)
/* 10 bits at 115200 baud in whole cycles */
#define CHARACTER (10 * 16 * MACHINE_HZ / 1843200)

static char sent[64];
static const char *input;
static bool input_open;

static void put(void *opaque, uint8_t byte)
{
	unsigned n = strlen(sent);

	sent[n] = byte;
	sent[n + 1] = '\0';
}

static int get(void *opaque)
{
	if (*input)
		return (uint8_t)*input++;
	return input_open ? CONSOLE_EMPTY : CONSOLE_END;
}

static int setup(void **state)
{
	static const struct uart_line line = { put, get, NULL };

	fixture_setup(state);
	sent[0] = '\0';
	input = "";
	input_open = false;
	uart_create(&fixture.machine, PORT, IRQ, &line);
	out8(0x21, (uint8_t)~(1 << IRQ));
	return 0;
}

/* True once per edge of the IRQ line. */
static bool interrupted(void)
{
	bool yes = take() == 0x08 + IRQ;

	out8(0x20, 0x20);
	return yes;
}

static void registers(void **state)
{
	static const struct {
		uint16_t port;
		uint8_t written, read;
	} rows[] = {
		{ SCR, 0xa5, 0xa5 }, { SCR, 0x5a, 0x5a }, { LCR, 0x1f, 0x1f }, { MCR, 0xff, 0x1f },
		{ IER, 0xff, 0x0f }, { LSR, 0xff, 0x60 },
	};

	assert_int_equal(in8(LSR), 0x60);
	assert_int_equal(in8(IIR), 0x01);
	assert_int_equal(in8(MSR), 0xb0);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		out8(rows[i].port, rows[i].written);
		assert_int_equal(in8(rows[i].port), rows[i].read);
	}
	out8(LCR, 0x83); /* divisor latch */
	out8(PORT, 0x34);
	out8(PORT + 1, 0x12);
	assert_int_equal(in8(PORT), 0x34);
	assert_int_equal(in8(PORT + 1), 0x12);
	out8(LCR, 0x03);
	assert_int_equal(in8(IER), 0x0f);
	assert_string_equal(sent, "");
}

static void transmit(void **state)
{
	out8(MCR, 0x0b);
	out8(THR, 'h');
	assert_int_equal(in8(LSR), 0x60);
	assert_false(interrupted());
	out8(IER, 0x02); /* THR is empty: an interrupt at once */
	assert_true(interrupted());
	assert_int_equal(in8(IIR), 0x02);
	assert_int_equal(in8(IIR), 0x01); /* reading IIR cleared it */
	out8(THR, 'i');
	assert_true(interrupted());
	assert_int_equal(in8(IIR), 0x02);
	out8(IER, 0x02); /* enabled already: nothing */
	assert_int_equal(in8(IIR), 0x01);
	out8(IER, 0x00);
	out8(IER, 0x02);
	assert_int_equal(in8(IIR), 0x02);
	assert_string_equal(sent, "hi");
}

/* OUT2 connects the interrupt output in a PC. */
static void out2_gates_irq(void **state)
{
	out8(MCR, 0x03);
	out8(IER, 0x02);
	assert_false(interrupted());
	assert_int_equal(in8(IIR) & 0xf, 0x02);
	out8(IER, 0);
	out8(IER, 2);
	out8(MCR, 0x0b);
	assert_true(interrupted());
}

static void receive_without_fifo(void **state)
{
	input = "abc";
	out8(MCR, 0x0b);
	out8(IER, 0x01);
	fixture_advance_to(CHARACTER - 1);
	assert_int_equal(in8(LSR), 0x60);
	fixture_advance_to(CHARACTER);
	assert_int_equal(in8(LSR), 0x61);
	assert_true(interrupted());
	assert_int_equal(in8(IIR), 0x04);
	fixture_advance(10 * CHARACTER); /* the line waits: nothing is lost */
	assert_int_equal(in8(LSR), 0x61);
	assert_int_equal(in8(RBR), 'a');
	assert_int_equal(in8(LSR), 0x60);
	assert_int_equal(in8(IIR), 0x01);
	fixture_advance(CHARACTER);
	assert_int_equal(in8(RBR), 'b');
	fixture_advance(CHARACTER);
	assert_int_equal(in8(RBR), 'c');
	fixture_advance(CHARACTER);
	assert_int_equal(in8(LSR), 0x60);
}

static void fifo_trigger_levels(void **state)
{
	static const uint8_t levels[] = { 1, 4, 8, 14 };

	for (unsigned i = 0; i < 4; i++) {
		fixture_teardown(state);
		setup(state);
		input = "0123456789abcdefghij";
		out8(FCR, 0x01 | i << 6);
		out8(IER, 0x01);
		for (unsigned n = 1; n < levels[i]; n++) {
			fixture_advance_to(n * CHARACTER);
			assert_int_equal(in8(IIR), 0xc1);
		}
		fixture_advance_to(levels[i] * CHARACTER);
		assert_int_equal(in8(IIR), 0xc4);
		assert_int_equal(in8(RBR), '0');
		assert_int_equal(in8(IIR), 0xc1);
		fixture_advance(100 * CHARACTER);
		for (unsigned n = 1; n <= 16; n++)
			assert_int_equal(in8(RBR), "0123456789abcdefg"[n]);
		assert_int_equal(in8(LSR), 0x60);
	}
}

/* Fewer characters than the trigger level: the timeout says so after four character times. */
static void character_timeout(void **state)
{
	input = "xy";
	out8(FCR, 0xc1);
	out8(IER, 0x01);
	fixture_advance_to(2 * CHARACTER + 4 * CHARACTER - 1);
	assert_int_equal(in8(IIR), 0xc1);
	fixture_advance_to(2 * CHARACTER + 4 * CHARACTER);
	assert_int_equal(in8(IIR), 0xcc);
	assert_int_equal(in8(RBR), 'x');
	assert_int_equal(in8(IIR), 0xc1);
	fixture_advance(4 * CHARACTER);
	assert_int_equal(in8(IIR), 0xcc);
	assert_int_equal(in8(RBR), 'y');
	assert_int_equal(in8(IIR), 0xc1);
	assert_int_equal(in8(LSR), 0x60);
}

static void fifo_clear(void **state)
{
	input = "abcdef";
	out8(FCR, 0x01);
	fixture_advance_to(3 * CHARACTER);
	assert_int_equal(in8(LSR), 0x61);
	out8(FCR, 0x03);
	assert_int_equal(in8(LSR), 0x60);
	fixture_advance(CHARACTER);
	assert_int_equal(in8(RBR), 'd');
}

static void flow_control(void **state)
{
	input = "ab";
	out8(MCR, 0x01); /* RTS off */
	fixture_advance(10 * CHARACTER);
	assert_int_equal(in8(LSR), 0x60);
	out8(MCR, 0x03);
	fixture_advance(CHARACTER);
	assert_int_equal(in8(RBR), 'a');
}

/* An open line without data is asked again; one that has ended is not. */
static void open_line(void **state)
{
	input_open = true;
	fixture_advance(MACHINE_HZ);
	assert_true(event_next(&fixture.machine.events) != EVENT_NEVER);
	input = "z";
	fixture_advance(MACHINE_HZ / 100);
	assert_int_equal(in8(RBR), 'z');
	input_open = false;
	fixture_advance(MACHINE_HZ / 100);
	assert_true(event_next(&fixture.machine.events) == EVENT_NEVER);
}

static void loopback(void **state)
{
	/* MCR bits and the modem inputs that they drive */
	static const uint8_t rows[][2] = { { 0x10, 0x00 }, { 0x11, 0x20 }, { 0x12, 0x10 },
					   { 0x14, 0x40 }, { 0x18, 0x80 }, { 0x1f, 0xf0 } };

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		out8(MCR, rows[i][0]);
		in8(MSR);
		assert_int_equal(in8(MSR), rows[i][1]);
	}
	out8(THR, 'q');
	assert_int_equal(in8(LSR), 0x61);
	out8(THR, 'r'); /* overrun */
	assert_int_equal(in8(LSR), 0x63);
	assert_int_equal(in8(LSR), 0x61); /* OE is cleared by reading */
	assert_int_equal(in8(RBR), 'r');
	assert_string_equal(sent, "");
}

static void modem_changes(void **state)
{
	out8(MCR, 0x10);
	in8(MSR);
	out8(IER, 0x08);
	assert_int_equal(in8(IIR), 0x01);
	out8(MCR, 0x12);
	assert_int_equal(in8(IIR), 0x00);
	assert_int_equal(in8(MSR), 0x11);
	assert_int_equal(in8(IIR), 0x01);
	out8(MCR, 0x16); /* RI on: no change bit; off: TERI */
	assert_int_equal(in8(MSR), 0x50);
	out8(MCR, 0x12);
	assert_int_equal(in8(MSR), 0x14);
}

/* IIR shows the most urgent source: line status, data, THR empty, modem. */
static void priorities(void **state)
{
	out8(MCR, 0x10);
	out8(IER, 0x0f);
	out8(THR, 'a');
	out8(THR, 'b');
	out8(MCR, 0x11);
	assert_int_equal(in8(IIR), 0x06);
	in8(LSR);
	assert_int_equal(in8(IIR), 0x04);
	in8(RBR);
	assert_int_equal(in8(IIR), 0x02);
	assert_int_equal(in8(IIR), 0x00);
	in8(MSR);
	assert_int_equal(in8(IIR), 0x01);
}

/* COM1 and port 0xe9 print on the console. */
static void console_output(void **state)
{
	uint64_t digest = UINT64_C(0xcbf29ce484222325);

	for (const char *p = "ok\n"; *p; p++)
		digest = (digest ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
	out8(0x3f8, 'o');
	out8(0xe9, 'k');
	out8(0x3f8, '\n');
	out8(0x2f8, '!'); /* COM2 goes nowhere */
	assert_int_equal(console_bytes(fixture.machine.console), 3);
	assert_true(console_digest(fixture.machine.console) == digest);
	assert_int_equal(in8(0xe9), 0xe9);
}

#define UART_TEST(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		UART_TEST(registers),	      UART_TEST(transmit),
		UART_TEST(out2_gates_irq),    UART_TEST(receive_without_fifo),
		UART_TEST(fifo_trigger_levels), UART_TEST(character_timeout),
		UART_TEST(fifo_clear),	      UART_TEST(flow_control),
		UART_TEST(open_line),	      UART_TEST(loopback),
		UART_TEST(modem_changes),     UART_TEST(priorities),
		DEVICE_TEST(console_output),
	};
	return cmocka_run_group_tests_name("uart", tests, NULL, NULL);
}
