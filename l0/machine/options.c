/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Parses the command line of `abyme run`; the options are rows of run_options.def.
 */
#include "l0/machine/options.h"

#include <ctype.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "l0/machine/command.h"
#include "l0/machine/debug/watch.h"
#include "l0/machine/hang.h"
#include "l0/machine/machine.h"

enum option_id {
	OPTION_FIRST = 256,
#define RUN_OPTION(id, name, letter, argument, help) OPTION_##id,
#include "l0/machine/run_options.def"
};

struct option_row {
	int id;
	const char *name;
	char letter;
	const char *argument, *help;
};

static const struct option_row rows[] = {
#define RUN_OPTION(id, name, letter, argument, help) { OPTION_##id, name, letter, argument, help },
#include "l0/machine/run_options.def"
};
#define HELP_COLUMN 32
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void print_help(void)
{
	puts("usage: abyme run [OPTION]... IMAGE\n\n"
	     "Boots IMAGE, a multiboot 1 ELF or flat image or a Linux bzImage, on a PC with VMX.\n"
	     "COM1 is the console; on a terminal, Ctrl-A X ends the run and Ctrl-A Ctrl-A sends a "
	     "Ctrl-A.\n"
	     "Input from a file is part of what makes a run reproducible; input typed or piped is "
	     "not.\n");
	for (unsigned i = 0; i < ROWS; i++) {
		char left[64];

		snprintf(left, sizeof(left), "%c%c%s --%s%s%s", rows[i].letter ? '-' : ' ',
			 rows[i].letter ? rows[i].letter : ' ', rows[i].letter ? "," : " ",
			 rows[i].name, rows[i].argument ? " " : "",
			 rows[i].argument ? rows[i].argument : "");
		printf("  %-*s", HELP_COLUMN, left);
		if (strlen(left) > HELP_COLUMN)
			printf("\n  %-*s", HELP_COLUMN, "");
		printf(" %s\n", rows[i].help);
	}
	puts("\nExit status:");
	puts("  (v << 1) | 1  the guest wrote v to port 0xf4");
#define EXIT_STATUS(name, value, text) printf("  %-13d %s\n", value, text);
#include "l0/machine/exit_status.def"
}

static int usage(const char *format, ...)
{
	va_list args;

	fputs("abyme run: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("; see abyme run --help\n", stderr);
	return STATUS_USAGE;
}

bool parse_size(const char *text, unsigned kilo, uint64_t *value)
{
	static const char suffixes[] = "KMGT";
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	unsigned long long number = strtoull(text, &end, 0);
	if (*end) {
		const char *suffix = strchr(suffixes, toupper((unsigned char)*end));
		if (!suffix || end[1])
			return false;
		for (const char *p = suffixes; p <= suffix; p++)
			if (__builtin_mul_overflow(number, kilo, &number))
				return false;
	}
	*value = number;
	return number != UINT64_MAX;
}

static int parse_mem(struct run_options *options, const char *text)
{
	if (!parse_size(text, 1024, &options->mem))
		return usage("--mem %s is not a size", text);
	options->mem &= ~UINT64_C(4095);
	if (options->mem < MEM_MIN || options->mem > MEMORY_MAX)
		return usage("--mem %s is not between %lluM and %lluG", text, MEM_MIN >> 20,
			     MEMORY_MAX >> 30);
	return -1;
}

static int parse_module(struct run_options *options, char *text)
{
	char *colon = strchr(text, ':');

	if (options->module_count == MODULES_MAX)
		return usage("more than %d modules", MODULES_MAX);
	if (colon)
		*colon++ = '\0';
	if (!*text)
		return usage("--module needs a file");
	options->modules[options->module_count++] = (struct load_file){ text, colon };
	return -1;
}

static int parse_device(struct run_options *options, const char *text)
{
	device_creator create = device_find(text);

	if (!create)
		return usage("there is no device `%s` to add", text);
	for (unsigned i = 0; i < options->device_count; i++)
		if (options->devices[i] == create)
			return usage("--device %s twice", text);
	if (options->device_count == DEVICES_MAX)
		return usage("more than %d devices", DEVICES_MAX);
	options->devices[options->device_count++] = create;
	return -1;
}

static int parse_depth(struct run_options *options, const char *text)
{
	uint64_t depth;

	if (!parse_size(text, 1000, &depth) || depth > DEPTH_MAX)
		return usage("--depth %s is not a number up to %d", text, DEPTH_MAX);
	options->depth = depth;
	return -1;
}

static int parse_watch(struct run_options *options, const char *text)
{
	char word[40];

	if (!watch_parse(text, &options->watch, word, sizeof(word)))
		return usage("--watch %s is not among %s", word, watch_names());
	return -1;
}

static int parse_symbols(struct run_options *options, const char *text)
{
	if (options->symbols_count == SYMBOLS_MAX)
		return usage("more than %d files of symbols", SYMBOLS_MAX);
	options->symbols[options->symbols_count++] = text;
	return -1;
}

static int parse_gdb(struct run_options *options, const char *text)
{
	uint64_t port;

	if (!parse_size(text, 1, &port) || port > UINT16_MAX)
		return usage("--gdb %s is not a port", text);
	options->gdb = (int)port;
	return -1;
}

static int parse_number(const char *name, const char *text, uint64_t least, uint64_t *value)
{
	if (parse_size(text, 1000, value) && *value >= least)
		return -1;
	return usage("--%s %s is not a number%s", name, text, least ? " above 0" : "");
}

/* Where the options go that are kept as they were given. */
static const char **text_option(struct run_options *options, int id)
{
	const struct {
		int id;
		const char **text;
	} texts[] = {
		{ OPTION_MACHINE, &options->machine },
		{ OPTION_STACK, &options->stack },
		{ OPTION_CPU, &options->cpu },
		{ OPTION_INITRD, &options->initrd },
		{ OPTION_APPEND, &options->append },
		{ OPTION_HV, &options->hv },
		{ OPTION_HV_APPEND, &options->hv_append },
		{ OPTION_TRACE, &options->trace },
		{ OPTION_STATS, &options->stats },
		{ OPTION_PROFILE, &options->profile },
	};

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].id == id)
			return texts[i].text;
	return NULL;
}

static int take_option(struct run_options *options, int id, char *text)
{
	const char **kept = text_option(options, id);

	if (kept) {
		*kept = text;
		return -1;
	}
	switch (id) {
	case OPTION_DEPTH:
		return parse_depth(options, text);
	case OPTION_MEM:
		return parse_mem(options, text);
	case OPTION_MODULE:
		return parse_module(options, text);
	case OPTION_DEVICE:
		return parse_device(options, text);
	case OPTION_SERIAL:
		options->serial = strcmp(text, "stdio") ? text : NULL;
		return -1;
	case OPTION_WATCH:
		return parse_watch(options, text);
	case OPTION_SYMBOLS:
		return parse_symbols(options, text);
	case OPTION_GDB:
		return parse_gdb(options, text);
	case OPTION_REPORT:
		options->report = true;
		return -1;
	case OPTION_JSON:
		options->stats = "-";
		return -1;
	case OPTION_MAX_INSNS:
		return parse_number("max-insns", text, 1, &options->max_insns);
	case OPTION_HANG:
		return parse_number("hang", text, 0, &options->hang);
	case OPTION_HELP:
		print_help();
		return STATUS_POWER_OFF;
	}
	return -1;
}

static void fill_getopt(struct option long_options[ROWS + 1], char letters[2 * ROWS + 2])
{
	memset(long_options, 0, (ROWS + 1) * sizeof(*long_options));
	*letters++ = ':'; /* a missing argument is told from an unknown option */
	for (unsigned i = 0; i < ROWS; i++) {
		long_options[i].name = rows[i].name;
		long_options[i].has_arg = rows[i].argument ? required_argument : no_argument;
		long_options[i].val = rows[i].id;
		if (!rows[i].letter)
			continue;
		*letters++ = rows[i].letter;
		if (rows[i].argument)
			*letters++ = ':';
	}
	*letters = '\0';
}

static int id_of(int found)
{
	for (unsigned i = 0; i < ROWS; i++)
		if (rows[i].letter && rows[i].letter == found)
			return rows[i].id;
	return found;
}

static int check(struct run_options *options, int argc, char **argv)
{
	bool listing = options->cpu && !strcmp(options->cpu, "help");

	if (optind < argc)
		options->image = argv[optind++];
	if (optind < argc)
		return usage("one image, please: %s is too much (module arguments follow a colon)",
			     argv[optind]);
	if (options->stack && (options->image || options->depth))
		return usage("--stack names every image; leave out IMAGE and --depth");
	if (!options->stack && !options->image && !listing)
		return usage("which image?");
	return -1;
}

int run_options_parse(int argc, char **argv, struct run_options *options)
{
	struct option long_options[ROWS + 1];
	char letters[2 * ROWS + 2];
	int found, status = -1;

	*options = (struct run_options){
		.gdb = -1, .mem = UINT64_C(256) << 20, .hang = HANG_LIMIT
	};
	fill_getopt(long_options, letters);
	optind = 0; /* start afresh: tests parse more than once */
	opterr = 0;
	while (status < 0 && (found = getopt_long(argc, argv, letters, long_options, NULL)) != -1)
		status = found == '?' || found == ':' ? command_bad_option("run", found, argv)
						      : take_option(options, id_of(found), optarg);
	return status < 0 ? check(options, argc, argv) : status;
}
