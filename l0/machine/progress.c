/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Progress by a host timer: a signal asks for a line, a thread-free handler writes it. Nothing of
 * it touches the guest, so runs with and without it are the same.
 */
#include "l0/machine/progress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "l0/machine/machine.h"

#define FIRST_S 2

static struct machine *watched;
static timer_t timer;
static struct cpu_stats last;

/* Decimal digits of `value`, then `text`; async-signal-safe, unlike snprintf. */
static char *add(char *to, uint64_t value, const char *text)
{
	char digits[24];
	unsigned n = 0;

	do
		digits[n++] = '0' + value % 10;
	while (value /= 10);
	while (n)
		*to++ = digits[--n];
	while (*text)
		*to++ = *text++;
	return to;
}

static void on_tick(int number)
{
	char line[100] = "\r\x1b[K", *end = line + 4;
	struct cpu_stats now;

	watched->cpu_ops->stats(watched->cpu, &now);
	if (!now.instructions)
		return; /* a backend that does not count them */
	end = add(end, now.instructions / 1000000, " M instructions, ");
	unsigned seconds = last.instructions ? 1 : FIRST_S;
	end = add(end, (now.instructions - last.instructions) / 1000000 / seconds, " M/s");
	last = now;
	(void)!write(STDERR_FILENO, line, end - line);
}

static bool same_terminal(void)
{
	struct stat out, err;

	return isatty(STDOUT_FILENO) && fstat(STDOUT_FILENO, &out) == 0 &&
	       fstat(STDERR_FILENO, &err) == 0 && out.st_rdev == err.st_rdev;
}

void progress_create(struct machine *machine)
{
	struct sigaction action = { .sa_handler = on_tick, .sa_flags = SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	struct itimerspec when = { .it_value.tv_sec = FIRST_S, .it_interval.tv_sec = 1 };

	watched = NULL;
	if (!isatty(STDERR_FILENO) || same_terminal())
		return;
	sigaction(SIGALRM, &action, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
		return;
	watched = machine;
	timer_settime(timer, 0, &when, NULL);
}

void progress_clear(struct machine *machine)
{
	if (!watched)
		return;
	timer_delete(timer);
	if (last.instructions)
		(void)!write(STDERR_FILENO, "\r\x1b[K", 4);
	watched = NULL;
}
