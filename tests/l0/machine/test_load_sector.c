/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Boot sectors: where they start, what is refused.
 */
#include "tests/l0/machine/load_fixture.h"

static uint8_t image[1024 * 1024];

static void build(void)
{
	memset(image, 0x90, sizeof(image));
	image[510] = 0x55;
	image[511] = 0xaa;
}

static void starts_in_real_mode(void **state)
{
	build();
	image[512] = 0xc3;
	assert_true(load_image(image, 1024));
	assert_int_equal(boot_state.mode, BOOT_REAL);
	assert_int_equal(boot_state.rip, 0x7c00);
	assert_int_equal(guest(0x7c00 + 510, 4), 0x90c3aa55);
}

static void refusals(void **state)
{
	build();
	assert_false(load_image(image, 511));
	assert_refused(STATUS_BAD_IMAGE, "boot sector");
	image[511] = 0;
	assert_false(load_image(image, 512));
	assert_refused(STATUS_BAD_IMAGE, "boot sector");
	image[511] = 0xaa;
	assert_false(load_image(image, 513));
	assert_refused(STATUS_BAD_IMAGE, "boot sector");
	memcpy(image, "MZ", 2);
	assert_false(load_image(image, 512));
	assert_refused(STATUS_BAD_IMAGE, "boot sector");
	image[0] = 0x90;
	assert_false(load_image(image, sizeof(image)));
	assert_refused(STATUS_BAD_IMAGE, "real mode");
}

static void nothing_beside_it(void **state)
{
	struct load_file module;
	struct load_request request;

	build();
	module = (struct load_file){ make_file(image, 512), NULL };
	request = (struct load_request){ .image = module, .modules = &module, .module_count = 1 };
	assert_false(load(&request));
	assert_refused(STATUS_USAGE, "no modules");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOAD_TEST(starts_in_real_mode),
		LOAD_TEST(refusals),
		LOAD_TEST(nothing_beside_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
