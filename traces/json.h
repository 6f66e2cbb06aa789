/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The one writer of JSON: as a stream, for every report that a program may read.
 */
#ifndef TRACES_JSON_H
#define TRACES_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH_MAX 8

struct json {
	FILE *out;
	bool compact; /* on one line */
	unsigned depth;
	struct {
		char close; /* bracket */
		bool filled;
	} level[JSON_DEPTH_MAX];
};

/* Opens the outermost object. */
void json_start(struct json *json, FILE *out, bool compact);
/* Closes it and ends the line. False: something could not be written. */
bool json_end(struct json *json) __attribute__((warn_unused_result));

/* name: NULL in arrays. Numbers are written as the integers that they are, or to 15 digits. */
void json_open_object(struct json *json, const char *name);
void json_open_array(struct json *json, const char *name);
void json_close(struct json *json);
void json_string(struct json *json, const char *name, const char *value); /* NULL: null */
void json_count(struct json *json, const char *name, uint64_t value);
void json_real(struct json *json, const char *name, double value);

#endif
