/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Follows causes within a level and reflections across levels.
 */
#include "traces/tree.h"

#include <stdlib.h>

#include "traces/xalloc.h"

#define NONE TRAP_NOT_FOUND

/* Per level: for each record its first child and next sibling (by cause), and where the records of
 * path 201 are. */
struct level {
	const struct trap_stream *stream;
	size_t *first_child, *last_child, *sibling;
	size_t *reflected;
	size_t reflected_count, reflected_room;
};

struct trap_forest {
	struct level *levels; /* level 0 upwards, without gaps */
	size_t count;
};

static size_t *index_array(size_t count)
{
	size_t room = 0, *array = xgrow(NULL, &room, sizeof(*array));

	while (room < count)
		array = xgrow(array, &room, sizeof(*array));
	for (size_t i = 0; i < room; i++)
		array[i] = NONE;
	return array;
}

static void link_child(struct level *level, size_t parent, size_t child)
{
	if (level->first_child[parent] == NONE)
		level->first_child[parent] = child;
	else
		level->sibling[level->last_child[parent]] = child;
	level->last_child[parent] = child;
}

static void link_level(struct level *level, const struct trap_stream *stream)
{
	*level = (struct level){
		.stream = stream,
		.first_child = index_array(stream->count),
		.last_child = index_array(stream->count),
		.sibling = index_array(stream->count),
	};
	for (size_t i = 0; i < stream->count; i++) {
		const struct trap_record *record = &stream->records[i];
		size_t parent = trap_stream_find(stream, record->cause);

		if (parent < i)
			link_child(level, parent, i);
		if (record->path != TRAP_PATH_201)
			continue;
		if (level->reflected_count == level->reflected_room)
			level->reflected = xgrow(level->reflected, &level->reflected_room,
						 sizeof(*level->reflected));
		level->reflected[level->reflected_count++] = i;
	}
}

struct trap_forest *trap_forest_make(const struct trap_log *log)
{
	struct trap_forest *forest = calloc(1, sizeof(*forest));
	size_t room = 0;

	for (const struct trap_stream *stream;
	     forest && (stream = trap_log_stream(log, forest->count)); forest->count++) {
		if (forest->count == room)
			forest->levels = xgrow(forest->levels, &room, sizeof(*forest->levels));
		link_level(&forest->levels[forest->count], stream);
	}
	return forest;
}

void trap_forest_free(struct trap_forest *forest)
{
	for (size_t i = 0; i < forest->count; i++) {
		free(forest->levels[i].first_child);
		free(forest->levels[i].last_child);
		free(forest->levels[i].sibling);
		free(forest->levels[i].reflected);
	}
	free(forest->levels);
	free(forest);
}

static void walk(const struct trap_forest *forest, size_t n, size_t at, unsigned depth,
		 trap_visit *visit, void *opaque);

static void walk_children(const struct trap_forest *forest, size_t n, size_t at, unsigned depth,
			  trap_visit *visit, void *opaque)
{
	const struct level *level = &forest->levels[n];

	for (size_t child = level->first_child[at]; child != NONE; child = level->sibling[child])
		walk(forest, n, child, depth, visit, opaque);
}

/* Visits an exit, the exit of the level below that it came from, and what handling either caused.
 */
static void walk(const struct trap_forest *forest, size_t n, size_t at, unsigned depth,
		 trap_visit *visit, void *opaque)
{
	const struct level *level = &forest->levels[n];

	visit(opaque, depth, n, &level->stream->records[at]);
	if (n && at < forest->levels[n - 1].reflected_count)
		walk(forest, n - 1, forest->levels[n - 1].reflected[at], depth + 1, visit, opaque);
	walk_children(forest, n, at, depth + 1, visit, opaque);
}

bool trap_forest_walk(const struct trap_forest *forest, uint16_t stream, uint64_t sequence,
		      trap_visit *visit, void *opaque)
{
	size_t at;

	if (stream >= forest->count)
		return false;
	at = trap_stream_find(forest->levels[stream].stream, sequence);
	if (at == NONE)
		return false;
	walk(forest, stream, at, 0, visit, opaque);
	return true;
}
