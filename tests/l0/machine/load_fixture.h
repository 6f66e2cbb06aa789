/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Files for loader tests: images are built in memory, written to temporary files and loaded from
 * there, as users load them. Limits: eight files at a time.
 */
#ifndef TESTS_L0_MACHINE_LOAD_FIXTURE_H
#define TESTS_L0_MACHINE_LOAD_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "l0/machine/command.h"
#include "l0/machine/load.h"
#include "tests/l0/machine/fixture.h"

#define FILES 8
static char file_names[FILES][32];
static unsigned file_count;
static struct load_error load_error;
static struct cpu_boot_state boot_state;

static inline const char *make_file(const void *data, size_t size)
{
	char *name = file_names[file_count++];

	strcpy(name, "/tmp/abyme-load-XXXXXX");
	int fd = mkstemp(name);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	close(fd);
	return name;
}

static inline void remove_files(void)
{
	while (file_count)
		unlink(file_names[--file_count]);
}

static inline bool load(const struct load_request *request)
{
	memset(&load_error, 0, sizeof(load_error));
	return load_boot(&fixture.machine, request, &boot_state, &load_error);
}

static inline bool load_image(const void *data, size_t size)
{
	struct load_request request = { .image = { make_file(data, size), NULL } };
	bool ok = load(&request);

	remove_files();
	return ok;
}

/* Refused with one line of text, no line break, and this status. */
static inline void assert_refused(int status, const char *word)
{
	assert_int_equal(load_error.status, status);
	assert_null(strchr(load_error.text, '\n'));
	if (!strstr(load_error.text, word))
		fail_msg("`%s` is not in: %s", word, load_error.text);
}

static inline int load_teardown(void **state)
{
	remove_files();
	return fixture_teardown(state);
}

static inline uint64_t guest(uint64_t at, unsigned size)
{
	uint64_t value = 0;

	assert_true(memory_read(&fixture.machine.memory, at, &value, size));
	return value;
}

static inline const char *guest_text(uint64_t at)
{
	return (const char *)memory_at(&fixture.machine.memory, at);
}

#define LOAD_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, load_teardown)

#endif
