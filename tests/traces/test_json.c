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
	json_text(json, "a", "x");
	json_open_object(json, "none");
	json_close(json);
	json_open_array(json, "rows");
	for (unsigned i = 0; i < 2; i++) {
		json_open_object(json, NULL);
		json_count(json, "i", i);
		json_text(json, "no", NULL);
		json_close(json);
	}
	json_count(json, NULL, 7);
	json_close(json);
	json_count(json, "last", 1);
}

static void fill_values(struct json *json)
{
	json_text(json, "q\"", "\\ \" \n \x1f \xc3\xa9");
	json_text(json, "broken", "\xff");
	json_count(json, "most", INT64_MAX);
	json_number(json, "half", 0.5);
	json_number(json, "whole", 3);
	json_number(json, "small", 1e-9);
}

static void layouts(void **state)
{
	expect(fill_nothing, true, "{}\n");
	expect(fill_nothing, false, "{}\n");
	expect(fill_nested, true,
	       "{\"a\":\"x\",\"none\":{},\"rows\":[{\"i\":0,\"no\":null},{\"i\":1,\"no\":null},7],"
	       "\"last\":1}\n");
	expect(fill_nested, false,
	       "{\n    \"a\": \"x\",\n    \"none\": {},\n    \"rows\": [\n        {\n"
	       "            \"i\": 0,\n            \"no\": null\n        },\n        {\n"
	       "            \"i\": 1,\n            \"no\": null\n        },\n        7\n    ],\n"
	       "    \"last\": 1\n}\n");
}

static void values(void **state)
{
	expect(fill_values, true,
	       "{\"q\\\"\":\"\\\\ \\\" \\n \\u001F \xc3\xa9\",\"broken\":null,"
	       "\"most\":9223372036854775807,\"half\":0.5,\"whole\":3.0,\"small\":1e-9}\n");
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
