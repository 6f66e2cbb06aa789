/* SPDX-License-Identifier: BSD-2-Clause
 *
 * JSON, RFC 8259. Objects have a member a line, by tabs; arrays continue on the line.
 */
#include "traces/json.h"

#include <assert.h>
#include <inttypes.h>

static void put_text(struct json *json, const char *text)
{
	putc('"', json->out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20)
			fprintf(json->out, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			fprintf(json->out, "\\%c", c);
		else
			putc(c, json->out);
	}
	putc('"', json->out);
}

/* Tabs up to the members of the innermost object; arrays on the way count too. */
static void put_indent(struct json *json, unsigned depth)
{
	if (json->compact)
		return;
	putc('\n', json->out);
	while (depth--)
		putc('\t', json->out);
}

/* What comes before a value. */
static void put_member(struct json *json, const char *name)
{
	bool object = json->level[json->depth].close == '}';

	if (json->level[json->depth].filled)
		fputs(object || json->compact ? "," : ", ", json->out);
	json->level[json->depth].filled = true;
	if (!object)
		return;
	put_indent(json, json->depth + 1);
	put_text(json, name);
	fputs(json->compact ? ":" : ":\t", json->out);
}

static void open_level(struct json *json, char open, char close)
{
	putc(open, json->out);
	json->level[json->depth].close = close;
	json->level[json->depth].filled = false;
}

static void open_member(struct json *json, const char *name, char open, char close)
{
	put_member(json, name);
	assert(json->depth + 1 < JSON_DEPTH_MAX);
	json->depth++;
	open_level(json, open, close);
}

static void close_level(struct json *json)
{
	if (json->level[json->depth].close == '}')
		put_indent(json, json->depth);
	putc(json->level[json->depth].close, json->out);
}

void json_start(struct json *json, FILE *out, bool compact)
{
	*json = (struct json){ .out = out, .compact = compact };
	open_level(json, '{', '}');
}

bool json_end(struct json *json)
{
	close_level(json);
	putc('\n', json->out);
	return !ferror(json->out);
}

void json_open_object(struct json *json, const char *name)
{
	open_member(json, name, '{', '}');
}

void json_open_array(struct json *json, const char *name)
{
	open_member(json, name, '[', ']');
}

void json_close(struct json *json)
{
	close_level(json);
	json->depth--;
}

void json_string(struct json *json, const char *name, const char *value)
{
	put_member(json, name);
	if (value)
		put_text(json, value);
	else
		fputs("null", json->out);
}

void json_count(struct json *json, const char *name, uint64_t value)
{
	put_member(json, name);
	fprintf(json->out, "%" PRIu64, value);
}

void json_real(struct json *json, const char *name, double value)
{
	put_member(json, name);
	fprintf(json->out, "%.15g", value);
}
