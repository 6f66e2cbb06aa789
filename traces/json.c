/* SPDX-License-Identifier: BSD-2-Clause
 *
 * JSON by way of jansson.
 */
#include "traces/json.h"

#include <assert.h>
#include <jansson.h>

#define REAL_DIGITS 15
#define INDENT 4

/* The document takes `value` over. */
static void add(struct json *json, const char *name, json_t *value)
{
	json_t *level = json->level[json->depth];

	if (json_is_object(level))
		json_object_set_new(level, name, value);
	else
		json_array_append_new(level, value);
}

static void open_level(struct json *json, const char *name, json_t *value)
{
	add(json, name, value);
	assert(json->depth + 1 < JSON_DEPTH_MAX);
	json->level[++json->depth] = value;
}

void json_start(struct json *json, FILE *out, bool compact)
{
	*json = (struct json){ .out = out, .compact = compact };
	json->level[0] = json_object();
}

bool json_end(struct json *json)
{
	size_t flags = JSON_REAL_PRECISION(REAL_DIGITS) |
		       (json->compact ? JSON_COMPACT : JSON_INDENT(INDENT));
	bool written =
	    !json_dumpf(json->level[0], json->out, flags) && putc('\n', json->out) != EOF;

	json_decref(json->level[0]);
	return written && !ferror(json->out);
}

void json_open_object(struct json *json, const char *name)
{
	open_level(json, name, json_object());
}

void json_open_array(struct json *json, const char *name)
{
	open_level(json, name, json_array());
}

void json_close(struct json *json)
{
	json->depth--;
}

void json_text(struct json *json, const char *name, const char *value)
{
	json_t *text = value ? json_string(value) : NULL;

	add(json, name, text ? text : json_null());
}

void json_count(struct json *json, const char *name, uint64_t value)
{
	add(json, name, value > INT64_MAX ? json_real((double)value) : json_integer((json_int_t)value));
}

void json_number(struct json *json, const char *name, double value)
{
	add(json, name, json_real(value));
}
