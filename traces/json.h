/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The one writer of JSON, for every report that a program may read: members in the order in which
 * they are given.
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
	struct json_t *level[JSON_DEPTH_MAX]; /* jansson's */
};

/* Opens the outermost object. */
void json_start(struct json *json, FILE *out, bool compact);
/* Closes it and ends the line. False: something could not be written. */
bool json_end(struct json *json) __attribute__((warn_unused_result));

/* name: NULL in arrays. Counts are written as the integers that they are (from 2^63 on as reals),
 * reals to 15 digits; text that is not UTF-8 as null. */
void json_open_object(struct json *json, const char *name);
void json_open_array(struct json *json, const char *name);
void json_close(struct json *json);
void json_text(struct json *json, const char *name, const char *value); /* NULL: null */
void json_count(struct json *json, const char *name, uint64_t value);
void json_number(struct json *json, const char *name, double value);

#endif
