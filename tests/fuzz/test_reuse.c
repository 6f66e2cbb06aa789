/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A machine that was power-cycled is as good as new: inputs of the fuzz targets give the same
 * outcome on one that all earlier inputs have used and on one made for the input. ABYME_FUZZ sets
 * how many random inputs (default 800 for each target). And so do runs by blocks and by single
 * instructions.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "l0/machine/machine.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/outcome.h"
#include "traces/machine_log.h"

#define INPUT_MAX 1024

enum way { USED, FRESH, STEPPED, WAYS };

struct fixture {
	struct trap_log_writer *log[WAYS];
	struct outcome_words outcome[WAYS];
	uint64_t seed;
};

static uint64_t random64(struct fixture *f)
{
	f->seed ^= f->seed << 13;
	f->seed ^= f->seed >> 7;
	f->seed ^= f->seed << 17;
	return f->seed;
}

static int setup(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));
	char error[200];

	f->seed = 0x9e3779b97f4a7c15;
	for (unsigned i = 0; i < WAYS; i++) {
		f->log[i] = trap_log_create("/dev/null", MACHINE_HZ, error, sizeof(error));
		assert_non_null(f->log[i]);
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char error[200];

	fuzz_fresh = fuzz_step = false;
	fuzz_trap_log = NULL;
	for (unsigned i = 0; i < WAYS; i++)
		assert_true(trap_log_close(f->log[i], error, sizeof(error)));
	test_free(f);
	return 0;
}

static void run(struct fixture *f, const struct fuzz_target *target, const uint8_t *bytes,
		size_t size, enum way way)
{
	fuzz_fresh = way == FRESH;
	fuzz_step = way == STEPPED;
	fuzz_trap_log = f->log[way];
	target->run(bytes, size);
	outcome_read(&f->outcome[way], fuzz_last);
}

/* How many blocks there are is no business of the guest's, nor which count has been looked at. */
static bool same_by_steps(const char *what)
{
	return strcmp(what, "blocks built") && strcmp(what, "blocks dropped") &&
	       strcmp(what, "uses of spaces") && strcmp(what, "branches") &&
	       strcmp(what, "cpu->msrs");
}

static void compare_with(struct fixture *f, const char *target, enum way way)
{
	const struct outcome_words *used = &f->outcome[USED], *other = &f->outcome[way];

	for (size_t i = 0; i < used->count && i < other->count; i++) {
		assert_string_equal(used->word[i].what, other->word[i].what);
		if (way == STEPPED && !same_by_steps(used->word[i].what))
			continue;
		if (used->word[i].value != other->word[i].value)
			fail_msg("%s: %s %llx is %llx on a used machine, %llx on %s", target,
				 used->word[i].what, (unsigned long long)used->word[i].number,
				 (unsigned long long)used->word[i].value,
				 (unsigned long long)other->word[i].value,
				 way == FRESH ? "a new one" : "one that steps");
	}
	assert_int_equal(used->count, other->count);
	assert_int_equal(trap_log_digest(f->log[USED]), trap_log_digest(f->log[way]));
}

static void compare(struct fixture *f, const struct fuzz_target *target, const uint8_t *bytes,
		    size_t size)
{
	run(f, target, bytes, size, FRESH);
	run(f, target, bytes, size, USED);
	run(f, target, bytes, size, STEPPED);
	compare_with(f, target->name, FRESH);
	compare_with(f, target->name, STEPPED);
}

/* Flips, and bytes changed; a few of them, so that much of the input keeps its meaning. */
static void mutate(struct fixture *f, uint8_t *bytes, size_t size)
{
	for (unsigned n = random64(f) % 8; n; n--)
		bytes[random64(f) % size] ^= random64(f) % 3 ? random64(f) : 1u << random64(f) % 8;
}

static void compare_cases(struct fixture *f, const struct fuzz_target *target)
{
	static uint8_t bytes[INPUT_MAX];
	char folder[64], path[400];

	snprintf(folder, sizeof(folder), "tests/fuzz/cases/%s", target->name);
	DIR *dir = opendir(folder);
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (*entry->d_name == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		FILE *file = fopen(path, "rb");
		assert_non_null(file);
		size_t size = fread(bytes, 1, sizeof(bytes), file);
		fclose(file);
		compare(f, target, bytes, size);
		for (unsigned n = 0; n < 8 && size; n++) {
			mutate(f, bytes, size);
			compare(f, target, bytes, size);
		}
	}
	closedir(dir);
}

static void compare_noise(struct fixture *f, const struct fuzz_target *target)
{
	const char *rounds = getenv("ABYME_FUZZ");
	uint64_t bytes[INPUT_MAX / 8];

	for (unsigned long n = rounds ? strtoul(rounds, NULL, 0) : 800; n; n--) {
		size_t size = random64(f) % sizeof(bytes);

		for (unsigned i = 0; i < INPUT_MAX / 8; i++)
			bytes[i] = random64(f);
		compare(f, target, (const uint8_t *)bytes, size);
	}
}

static void test_target(void **state, fuzz_target_run *target)
{
	for (unsigned i = 0; i < fuzz_target_count; i++)
		if (fuzz_targets[i].run == target) {
			compare_cases(*state, &fuzz_targets[i]);
			compare_noise(*state, &fuzz_targets[i]);
		}
}

static void test_code(void **state)
{
	test_target(state, fuzz_code);
}

static void test_vmx(void **state)
{
	test_target(state, fuzz_vmx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_code, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vmx, setup, teardown),
	};
	return cmocka_run_group_tests_name("reuse", tests, NULL, NULL);
}
