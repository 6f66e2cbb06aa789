/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Host side of the console: buffered output with its digest, raw terminal input with an escape key
 * (Ctrl-A X ends the run, Ctrl-A Ctrl-A sends a Ctrl-A), plain input otherwise.
 */
#include "l0/machine/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "l0/machine/machine.h"

#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)
#define ESCAPE 0x01 /* Ctrl-A */
#define PIPE_PATIENCE_MS 200
#define PACE_MAX_NS 20000000
#define IDLE_INSNS 10000 /* between two looks: fewer is waiting */

struct console {
	struct machine *machine;
	int out, in;
	bool interactive; /* input is a terminal */
	bool live;        /* input may come later: not a regular file */
	bool end, patient, escaped;
	uint64_t digest, bytes;
	size_t out_used, in_used, in_next;
	uint8_t out_buffer[4096], in_buffer[4096];
	uint64_t insns_seen, virtual_seen, wall_seen; /* at the last look for input */
};

/* The one terminal to restore, also from a signal handler. */
static struct termios saved_termios;
static volatile sig_atomic_t termios_saved;

void console_restore_terminal(void)
{
	if (termios_saved)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved_termios);
	termios_saved = 0;
}

/* A crash must not leave the terminal raw; the signal then takes its default course. */
static void on_crash(int number)
{
	console_restore_terminal();
	raise(number);
}

static void catch_crashes(void)
{
	static const int numbers[] = { SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGQUIT };
	struct sigaction action = { .sa_handler = on_crash, .sa_flags = SA_RESETHAND };

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &action, NULL);
}

static void terminal_raw(void)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &saved_termios) < 0)
		return;
	raw = saved_termios;
	raw.c_iflag &= ~(ICRNL | INLCR | IGNCR | IXON | ISTRIP);
	raw.c_lflag &= ~(ICANON | ECHO | IEXTEN | ISIG);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	termios_saved = 1;
	atexit(console_restore_terminal);
	catch_crashes();
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static uint64_t wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void console_open_input(struct console *console)
{
	struct stat status;

	console->in = STDIN_FILENO;
	console->interactive = isatty(STDIN_FILENO);
	if (fstat(STDIN_FILENO, &status) < 0)
		console->end = true;
	console->live = !S_ISREG(status.st_mode);
	console->patient = console->live && !console->interactive;
	if (console->interactive)
		terminal_raw();
}

struct console *console_open(struct machine *machine, const char *path)
{
	struct console *console = calloc(1, sizeof(*console));

	if (!console)
		return NULL;
	console->machine = machine;
	console->digest = FNV_OFFSET;
	console->wall_seen = wall_ns();
	console->out = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) :
			      STDOUT_FILENO;
	if (console->out < 0) {
		free(console);
		return NULL;
	}
	if (path) /* a file does not type */
		console->end = true;
	else
		console_open_input(console);
	return console;
}

void console_flush(struct console *console)
{
	size_t done = 0;

	while (done < console->out_used) {
		ssize_t n = write(console->out, console->out_buffer + done,
				  console->out_used - done);
		if (n < 0 && errno == EAGAIN)
			poll(&(struct pollfd){ .fd = console->out, .events = POLLOUT }, 1, -1);
		else if (n < 0 && errno != EINTR)
			break; /* nobody listens any more; the digest goes on */
		done += n > 0 ? n : 0;
	}
	console->out_used = 0;
}

void console_power_cycle(struct console *console)
{
	console_flush(console);
	console->digest = FNV_OFFSET;
	console->bytes = 0;
	console->escaped = false;
	console->insns_seen = console->virtual_seen = 0;
	console->wall_seen = wall_ns();
}

void console_close(struct console *console)
{
	if (!console)
		return;
	console_flush(console);
	console_restore_terminal();
	if (console->out != STDOUT_FILENO)
		close(console->out);
	free(console);
}

void console_put(struct console *console, uint8_t byte)
{
	console->digest = (console->digest ^ byte) * FNV_PRIME;
	console->bytes++;
	console->out_buffer[console->out_used++] = byte;
	if (byte == '\n' || console->out_used == sizeof(console->out_buffer) ||
	    console->interactive)
		console_flush(console);
}

static bool console_readable(struct console *console)
{
	struct pollfd fd = { .fd = console->in, .events = POLLIN };

	if (!console->live)
		return true;
	if (poll(&fd, 1, console->patient ? PIPE_PATIENCE_MS : 0) > 0)
		return true;
	console->patient = false;
	return false;
}

static bool console_fill(struct console *console)
{
	if (console->in_next < console->in_used)
		return true;
	if (console->end || !console_readable(console))
		return false;
	ssize_t n = read(console->in, console->in_buffer, sizeof(console->in_buffer));
	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
		console->end = true;
	console->in_next = 0;
	console->in_used = n > 0 ? n : 0;
	return n > 0;
}

/* The escape key's state machine; CONSOLE_EMPTY while it swallows a byte. */
static int console_escape(struct console *console, uint8_t byte)
{
	if (!console->escaped) {
		console->escaped = byte == ESCAPE;
		return console->escaped ? CONSOLE_EMPTY : byte;
	}
	console->escaped = false;
	if (byte != 'x' && byte != 'X')
		return byte;
	machine_stop(console->machine, STOP_USER, 0);
	return CONSOLE_EMPTY;
}

/* An idle guest skips from timer to timer and would keep the host busy at that. While somebody
 * types, idle time since the last look is slept off, so that a second of waiting is a second. */
static void console_pace(struct console *console)
{
	struct machine *machine = console->machine;
	struct cpu_stats stats;

	machine->cpu_ops->stats(machine->cpu, &stats);
	uint64_t wall = wall_ns(), virtual = machine_now(machine) / (MACHINE_HZ / 1000000) * 1000;
	uint64_t passed = virtual - console->virtual_seen, slept = wall - console->wall_seen;
	if (stats.instructions - console->insns_seen < IDLE_INSNS && passed > slept) {
		struct pollfd fd = { .fd = console->in, .events = POLLIN };
		struct timespec rest = { 0, passed - slept < PACE_MAX_NS ? passed - slept :
									  PACE_MAX_NS };
		ppoll(&fd, 1, &rest, NULL);
		wall = wall_ns();
	}
	console->insns_seen = stats.instructions;
	console->virtual_seen = virtual;
	console->wall_seen = wall;
}

int console_get(struct console *console)
{
	if (console->interactive)
		console_pace(console);
	if (!console_fill(console))
		return console->end ? CONSOLE_END : CONSOLE_EMPTY;
	uint8_t byte = console->in_buffer[console->in_next++];
	return console->interactive ? console_escape(console, byte) : byte;
}

bool console_interactive(const struct console *console)
{
	return console->interactive;
}

uint64_t console_digest(const struct console *console)
{
	return console->digest;
}

uint64_t console_bytes(const struct console *console)
{
	return console->bytes;
}
