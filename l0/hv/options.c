/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The command line: words, in any order. Loaders put the image's name in front or do not; words
 * that are not ours are none of our business.
 */
#include "l0/hv/hv.h"

static bool word_is(const char *at, const char *word)
{
	while (*word)
		if (*at++ != *word++)
			return false;
	return !*at || *at == ' ';
}

void options_parse(struct hv_options *options, const char *line)
{
	while (*line) {
		if (word_is(line, "verbose"))
			options->verbose = true;
		else if (word_is(line, "map=offset"))
			options->map_offset = true;
		else if (word_is(line, "nolog"))
			options->nolog = true;
		while (*line && *line != ' ')
			line++;
		while (*line == ' ')
			line++;
	}
}
