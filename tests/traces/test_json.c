/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The JSON writer: its text to the byte in both layouts, nesting, escapes, numbers, a full disk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "traces/json.h"

/* What `fill` writes, to be freed. */
static char *written(void (*fill)(struct json *), bool compact)
{
	char *text = NULL;
	size_t size;
	struct json json;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	json_start(&json, out, compact);
	fill(&json);
	assert_true(json_end(&json));
	assert_int_equal(fclose(out), 0);
	return text;
}

static void expect(void (*fill)(struct json *), bool compact, const char *expected)
{
	char *text = written(fill, compact);

	assert_string_equal(text, expected);
	free(text);
}

static void fill_nothing(struct json *json)
{
}

static void fill_nested(struct json *json)
{
	json_string(json, "a", "x");
	json_open_object(json, "none");
	json_close(json);
	json_open_array(json, "rows");
	for (unsigned i = 0; i < 2; i++) {
		json_open_object(json, NULL);
		json_count(json, "i", i);
		json_string(json, "no", NULL);
		json_close(json);
	}
	json_count(json, NULL, 7);
	json_close(json);
	json_count(json, "last", 1);
}

static void fill_values(struct json *json)
{
	json_string(json, "q\"", "\\ \" \n \x1f \xc3\xa9");
	json_count(json, "most", UINT64_MAX);
	json_real(json, "half", 0.5);
	json_real(json, "whole", 3);
	json_real(json, "small", 1e-9);
}

static void layouts(void **state)
{
	expect(fill_nothing, true, "{}\n");
	expect(fill_nothing, false, "{\n}\n");
	expect(fill_nested, true,
	       "{\"a\":\"x\",\"none\":{},\"rows\":[{\"i\":0,\"no\":null},{\"i\":1,\"no\":null},7],"
	       "\"last\":1}\n");
	expect(fill_nested, false,
	       "{\n\t\"a\":\t\"x\",\n\t\"none\":\t{\n\t},\n\t\"rows\":\t[{\n\t\t\t\"i\":\t0,\n"
	       "\t\t\t\"no\":\tnull\n\t\t}, {\n\t\t\t\"i\":\t1,\n\t\t\t\"no\":\tnull\n\t\t}, 7],\n"
	       "\t\"last\":\t1\n}\n");
}

static void values(void **state)
{
	expect(fill_values, true,
	       "{\"q\\\"\":\"\\\\ \\\" \\u000a \\u001f \xc3\xa9\",\"most\":18446744073709551615,"
	       "\"half\":0.5,\"whole\":3,\"small\":1e-09}\n");
}

static void full_disk(void **state)
{
	FILE *out = fopen("/dev/full", "w");
	struct json json;

	if (!out)
		skip();
	setvbuf(out, NULL, _IONBF, 0);
	json_start(&json, out, false);
	assert_false(json_end(&json));
	fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layouts),
		cmocka_unit_test(values),
		cmocka_unit_test(full_disk),
	};
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
