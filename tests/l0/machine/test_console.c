/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Console input and output on real descriptors: files, pipes, a pseudo-terminal with the escape
 * key.
 */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "l0/machine/console.h"
#include "tests/l0/machine/fixture.h"

static int saved_in, saved_out;

static int setup(void **state)
{
	saved_in = dup(0);
	saved_out = dup(1);
	return fixture_setup(state);
}

static int teardown(void **state)
{
	dup2(saved_in, 0);
	dup2(saved_out, 1);
	close(saved_in);
	close(saved_out);
	return fixture_teardown(state);
}

/* Replaces standard input (0) or output (1). */
static void become(int which, int fd)
{
	dup2(fd, which);
	close(fd);
}

static int temporary(const char *content)
{
	char name[] = "/tmp/abyme-console-XXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* A file is not interpreted, and its end is the end. */
static void file_input(void **state)
{
	become(0, temporary("a\x01x\n"));
	struct console *console = console_open(&fixture.machine, NULL);
	assert_false(console_interactive(console));
	for (const char *p = "a\x01x\n"; *p; p++)
		assert_int_equal(console_get(console), *p);
	assert_int_equal(console_get(console), CONSOLE_END);
	assert_int_equal(console_get(console), CONSOLE_END);
	assert_int_equal(fixture.machine.stop, STOP_NONE);
	console_close(console);
}

static void pipe_input(void **state)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	become(0, ends[0]);
	struct console *console = console_open(&fixture.machine, NULL);
	assert_int_equal(console_get(console), CONSOLE_EMPTY);
	assert_int_equal(write(ends[1], "hi", 2), 2);
	assert_int_equal(console_get(console), 'h');
	assert_int_equal(console_get(console), 'i');
	assert_int_equal(console_get(console), CONSOLE_EMPTY);
	close(ends[1]);
	assert_int_equal(console_get(console), CONSOLE_END);
	console_close(console);
}

static void terminal_input(void **state)
{
	struct termios before, during, after;
	int master, slave;

	if (openpty(&master, &slave, NULL, NULL, NULL)) {
		print_message("skipped: no pseudo-terminals here\n");
		skip();
	}
	assert_int_equal(tcgetattr(slave, &before), 0);
	become(0, slave);
	struct console *console = console_open(&fixture.machine, NULL);
	assert_true(console_interactive(console));
	tcgetattr(0, &during);
	assert_int_equal(during.c_lflag & (ICANON | ECHO | ISIG), 0);
	assert_int_equal(console_get(console), CONSOLE_EMPTY);
	assert_int_equal(write(master, "k\x03\x01\x01\x01z\x01x", 8), 8);
	usleep(10000);
	assert_int_equal(console_get(console), 'k');
	assert_int_equal(console_get(console), 3); /* Ctrl-C is the guest's */
	assert_int_equal(console_get(console), CONSOLE_EMPTY);
	assert_int_equal(console_get(console), 1); /* Ctrl-A twice: one Ctrl-A */
	assert_int_equal(console_get(console), CONSOLE_EMPTY);
	assert_int_equal(console_get(console), 'z');
	assert_int_equal(fixture.machine.stop, STOP_NONE);
	assert_int_equal(console_get(console), CONSOLE_EMPTY);
	assert_int_equal(console_get(console), CONSOLE_EMPTY);
	assert_int_equal(fixture.machine.stop, STOP_USER);
	console_close(console);
	tcgetattr(0, &after);
	assert_int_equal(after.c_lflag, before.c_lflag);
	assert_int_equal(after.c_iflag, before.c_iflag);
	close(master);
}

/* Lines appear as they end, the rest at the latest on closing; the digest is of everything. */
static void output(void **state)
{
	int ends[2];
	char text[16] = "";

	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	become(0, open("/dev/null", O_RDONLY));
	fflush(stdout);
	become(1, ends[1]);
	struct console *console = console_open(&fixture.machine, NULL);
	console_put(console, 'a');
	assert_int_equal(read(ends[0], text, sizeof(text)), -1);
	console_put(console, '\n');
	assert_int_equal(read(ends[0], text, sizeof(text)), 2);
	console_put(console, 'b');
	console_close(console);
	assert_int_equal(read(ends[0], text, sizeof(text)), 1);
	assert_string_equal(text, "b\n");
	close(ends[0]);
}

static void output_file_that_cannot_be(void **state)
{
	assert_null(console_open(&fixture.machine, "/nonexistent/file"));
	assert_int_equal(errno, ENOENT);
}

/* A guest sees typed bytes at line speed, and a file's bytes at the same times in every run. */
static void through_com1(void **state)
{
	char first[16], *to = first;

	fixture_teardown(state);
	become(0, temporary("yes"));
	fixture = (struct fixture){ .sipi = -1 };
	assert_true(machine_init(&fixture.machine, 64 << 20, NULL));
	fixture.machine.cpu_ops = &fixture_ops;
	fixture.machine.cpu = (struct cpu *)&fixture;
	for (unsigned i = 0; i < 100; i++) {
		fixture_advance(50000);
		if (in8(0x3fd) & 1)
			to += sprintf(to, "%c%u ", in8(0x3f8), i);
	}
	assert_string_equal(first, "y1 e3 s5 ");
}

#define CONSOLE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONSOLE_TEST(file_input),  CONSOLE_TEST(pipe_input), CONSOLE_TEST(terminal_input),
		CONSOLE_TEST(output),	   CONSOLE_TEST(output_file_that_cannot_be),
		CONSOLE_TEST(through_com1),
	};
	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
