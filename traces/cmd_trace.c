/* SPDX-License-Identifier: BSD-2-Clause
 *
 * abyme trace: option parsing, loading, and the table of verbs.
 */
#include "traces/cmd_trace.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "l0/machine/command.h"

static const char usage[] =
	"usage: abyme trace report [--json] [--check] FILE\n"
	"       abyme trace dump [--json] [--level N|machine] [--reason NAME] [--seq N] [--limit N]\n"
	"                        FILE\n"
	"       abyme trace tree [--level N] --seq N FILE\n"
	"       abyme trace marks [--json] FILE\n"
	"       abyme trace trips [--json] [--level N] [--reason NAME] [--limit N] FILE\n"
	"       abyme trace diff [--level N|machine] FILE FILE\n"
	"\n"
	"report  per level, path and reason: exits, share, instructions and cycles from the exit to\n"
	"        the next entry, exits caused by handling it; --check: fail unless L0's records and\n"
	"        the machine's agree, and each other level's with what the one below reflected\n"
	"dump    one line a record\n"
	"tree    the exits beneath one exit\n"
	"marks   between each mark that a guest set and the next: the machine's exits, instructions,\n"
	"        cycles\n"
	"trips   per guest, reason and place: what a round trip takes, from the exit until the guest\n"
	"        goes on, at L0 and at the levels between; --limit: rows (10)\n"
	"diff    where two logs first differ\n"
	"\n"
	"Exit status: 0; 1 logs disagree, differ or are damaged; 64 usage; 65 not a log or no such\n"
	"record; 66 no such file.\n";

enum option_id {
	OPTION_JSON = 256,
	OPTION_CHECK,
	OPTION_LEVEL,
	OPTION_REASON,
	OPTION_SEQ,
	OPTION_LIMIT,
	OPTION_HELP,
};

static const struct option long_options[] = {
	{"json", no_argument, NULL, OPTION_JSON},
	{"check", no_argument, NULL, OPTION_CHECK},
	{"level", required_argument, NULL, OPTION_LEVEL},
	{"reason", required_argument, NULL, OPTION_REASON},
	{"seq", required_argument, NULL, OPTION_SEQ},
	{"limit", required_argument, NULL, OPTION_LIMIT},
	{"help", no_argument, NULL, OPTION_HELP},
	{0},
};

static const struct verb {
	const char *name;
	int (*run)(const struct trace_options *, const struct trap_log *);
} verbs[] = {
	{"report", trace_cmd_report},
	{"dump", trace_cmd_dump},
	{"tree", trace_cmd_tree},
	{"marks", trace_cmd_marks},
	{"trips", trace_cmd_trips},
};

static int refuse(int status, const char *text)
{
	fprintf(stderr, "abyme trace: %s\n", text);
	return status;
}

static bool parse_number(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	return !errno && end != text && !*end && *text != '-';
}

static bool parse_level(const char *text, int32_t *stream)
{
	uint64_t level;

	if (*text == 'L')
		text++;
	if (!strcmp(text, "machine")) {
		*stream = TRAP_LOG_MACHINE;
		return true;
	}
	if (!parse_number(text, &level) || level >= TRAP_LOG_END)
		return false;
	*stream = level;
	return true;
}

/* 0, or the status to leave with (-1: help was asked for). */
static int parse_options(int argc, char **argv, struct trace_options *options)
{
	int option;

	*options = (struct trace_options){.stream = -1, .limit = UINT64_MAX};
	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		bool good = true;

		switch (option) {
		case OPTION_JSON:
			options->json = true;
			break;
		case OPTION_CHECK:
			options->check = true;
			break;
		case OPTION_LEVEL:
			good = parse_level(optarg, &options->stream);
			break;
		case OPTION_REASON:
			options->reason = optarg;
			break;
		case OPTION_SEQ:
			good = parse_number(optarg, &options->sequence);
			break;
		case OPTION_LIMIT:
			good = parse_number(optarg, &options->limit);
			break;
		case OPTION_HELP:
			return -1;
		default:
			return command_bad_option("trace", option, argv);
		}
		if (!good) {
			fprintf(stderr,
				"abyme trace: '%s' is not a number that fits here; "
				"see abyme trace --help\n",
				optarg);
			return EX_USAGE;
		}
	}
	return 0;
}

static int load(struct trap_log *log, const char *path)
{
	char error[256];

	if (trap_log_load(log, path, error, sizeof(error)))
		return 0;
	return refuse(strstr(error, "cannot open") ? EX_NOINPUT : EX_DATAERR, error);
}

/* What a log's damage makes of the status of reading it. */
static int report_damage(const struct trap_log *log, const char *path, int status)
{
	if (!log->damage[0] || status == EX_DATAERR) /* the verb has said it */
		return status;
	fprintf(stderr, "abyme trace: %s: %s\n", path, log->damage);
	return status ? status : 1;
}

static int run_one(const struct verb *verb, const struct trace_options *options, const char *path)
{
	struct trap_log log;
	int status = load(&log, path);

	if (status)
		return status;
	status = report_damage(&log, path, verb->run(options, &log));
	trap_log_unload(&log);
	return status;
}

static int run_diff(const struct trace_options *options, char **paths)
{
	struct trap_log a, b;
	int status = load(&a, paths[0]);

	if (status)
		return status;
	status = load(&b, paths[1]);
	if (!status) {
		status = trace_cmd_diff(options, &a, &b);
		status = report_damage(&a, paths[0], status);
		status = report_damage(&b, paths[1], status);
		trap_log_unload(&b);
	}
	trap_log_unload(&a);
	return status;
}

int cmd_trace(int argc, char **argv)
{
	struct trace_options options;
	int status;

	if (argc < 2)
		return refuse(EX_USAGE,
			      "no verb: report, dump, tree, marks, trips or diff (abyme trace --help)");
	status = parse_options(argc, argv, &options);
	if (status == -1) {
		fputs(usage, stdout);
		return 0;
	}
	if (status)
		return status;
	argc -= optind;
	argv += optind;
	if (argc == 3 && !strcmp(argv[0], "diff"))
		return run_diff(&options, argv + 1);
	for (size_t i = 0; argc && i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(argv[0], verbs[i].name))
			return argc == 2 ? run_one(&verbs[i], &options, argv[1])
					 : refuse(EX_USAGE, "give one trace file");
	return refuse(EX_USAGE,
		      "unknown verb: report, dump, tree, marks, trips or diff (abyme trace --help)");
}
