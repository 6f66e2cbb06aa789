/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every fuzz target over the cases kept in tests/fuzz/cases/TARGET/ (what a fuzzer once found, and
 * seeds), each as it is, cut short and with bytes changed, and over noise. ABYME_FUZZ sets how
 * often (default 100). Runs in the top folder of the tree.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/fuzz/fuzz.h"

#define CASE_MAX 65536

static unsigned rounds = 100;
static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void run_variants(const struct fuzz_target *target, const uint8_t *bytes, size_t size)
{
	static uint8_t copy[CASE_MAX];

	target->run(bytes, size);
	for (unsigned i = 0; i < rounds / 5 && size; i++) {
		size_t cut = i % 4 ? size : random64() % size;

		memcpy(copy, bytes, cut);
		for (unsigned n = random64() % 4; n && cut; n--)
			copy[random64() % cut] = random64();
		target->run(copy, cut);
	}
}

static void test_cases(void **state)
{
	static uint8_t bytes[CASE_MAX];

	for (unsigned i = 0; i < fuzz_target_count; i++) {
		char folder[64], path[400];
		unsigned cases = 0;

		snprintf(folder, sizeof(folder), "tests/fuzz/cases/%s", fuzz_targets[i].name);
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
			run_variants(&fuzz_targets[i], bytes, size);
			cases++;
		}
		closedir(dir);
		assert_true(cases > 0);
	}
}

static void test_noise(void **state)
{
	static uint64_t noise[128];

	for (unsigned n = 0; n < rounds; n++) {
		for (unsigned i = 0; i < 128; i++)
			noise[i] = random64();
		for (unsigned i = 0; i < fuzz_target_count; i++)
			fuzz_targets[i].run((const uint8_t *)noise, random64() % sizeof(noise));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_noise),
	};
	if (getenv("ABYME_FUZZ"))
		rounds = strtoul(getenv("ABYME_FUZZ"), NULL, 0);
	return cmocka_run_group_tests_name("fuzz", tests, NULL, NULL);
}
