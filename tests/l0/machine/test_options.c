/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The command line of `abyme run`, the stack of images it stands for, and exit statuses.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "l0/machine/command.h"
#include "l0/machine/machine.h"
#include "l0/machine/options.h"
#include "l0/machine/stop.h"

static struct run_options options;

/* Parses "run" and the words of `line`; what it prints goes nowhere. */
static int parse(const char *line)
{
	static char text[512];
	char *argv[32] = { "run" };
	int argc = 1, saved_out = dup(1), saved_err = dup(2);

	snprintf(text, sizeof(text), "%s", line);
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	int nowhere = open("/dev/null", O_WRONLY);

	fflush(stdout);
	dup2(nowhere, 1);
	dup2(nowhere, 2);
	close(nowhere);
	int status = run_options_parse(argc, argv, &options);
	fflush(stdout);
	dup2(saved_out, 1);
	dup2(saved_err, 2);
	close(saved_out);
	close(saved_err);
	return status;
}

static void statuses(void **state)
{
	static const struct {
		const char *line;
		int status;
	} rows[] = {
		{ "x.elf", -1 },
		{ "", STATUS_USAGE },
		{ "--help", 0 },
		{ "-h", 0 },
		{ "a b", STATUS_USAGE },
		{ "--nonsense x", STATUS_USAGE },
		{ "--mem", STATUS_USAGE },
		{ "--mem 64M x", -1 },
		{ "--device testdev x", -1 },
		{ "--device nothing x", STATUS_USAGE },
		{ "--device testdev --device testdev x", STATUS_USAGE },
		{ "--mem 64X x", STATUS_USAGE },
		{ "--mem M x", STATUS_USAGE },
		{ "--mem 1M x", STATUS_USAGE },
		{ "--mem 2M x", -1 },
		{ "--mem 256G x", -1 },
		{ "--mem 257G x", STATUS_USAGE },
		{ "--mem 99999999999999999999G x", STATUS_USAGE },
		{ "--depth 3 x", -1 },
		{ "--depth -1 x", STATUS_USAGE },
		{ "--depth 1001 x", STATUS_USAGE },
		{ "--depth x y", STATUS_USAGE },
		{ "--max-insns 0 x", STATUS_USAGE },
		{ "--max-insns 10M x", -1 },
		{ "--stack a,b", -1 },
		{ "--stack a,b c", STATUS_USAGE },
		{ "--stack a,b --depth 1", STATUS_USAGE },
		{ "--module :x y", STATUS_USAGE },
		{ "--cpu help", -1 },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (parse(rows[i].line) != rows[i].status)
			fail_msg("%s: not %d", rows[i].line, rows[i].status);
}

static void values(void **state)
{
	assert_int_equal(parse("-m 1G --cpu skylake,-vpid --module a:x=1:2 --module b "
			       "--initrd i -a app --hv h --hv-append verbose --serial f "
			       "--trace t --stats s --max-insns 2K --machine interp img"), -1);
	assert_int_equal(options.mem, 1 << 30);
	assert_string_equal(options.cpu, "skylake,-vpid");
	assert_int_equal(options.module_count, 2);
	assert_string_equal(options.modules[0].path, "a");
	assert_string_equal(options.modules[0].args, "x=1:2");
	assert_string_equal(options.modules[1].path, "b");
	assert_null(options.modules[1].args);
	assert_string_equal(options.initrd, "i");
	assert_string_equal(options.append, "app");
	assert_string_equal(options.hv, "h");
	assert_string_equal(options.hv_append, "verbose");
	assert_string_equal(options.serial, "f");
	assert_string_equal(options.trace, "t");
	assert_string_equal(options.stats, "s");
	assert_int_equal(options.max_insns, 2000);
	assert_string_equal(options.machine, "interp");
	assert_string_equal(options.image, "img");
	assert_int_equal(parse("--json --serial stdio img"), -1);
	assert_string_equal(options.stats, "-");
	assert_null(options.serial);
	assert_int_equal(options.mem, 256 << 20);
	assert_null(options.machine);
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		unsigned kilo;
		bool ok;
		uint64_t value;
	} rows[] = {
		{ "0", 1024, true, 0 },
		{ "4096", 1024, true, 4096 },
		{ "0x10", 1024, true, 16 },
		{ "3k", 1024, true, 3072 },
		{ "3K", 1000, true, 3000 },
		{ "5G", 1024, true, UINT64_C(5) << 30 },
		{ "1T", 1000, true, UINT64_C(1000000000000) },
		{ "1KB", 1024, false, 0 },
		{ "-1", 1024, false, 0 },
		{ "", 1024, false, 0 },
		{ " 1", 1024, false, 0 },
		{ "18446744073709551615", 1024, false, 0 },
		{ "99999999999T", 1024, false, 0 },
	};
	uint64_t value;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse_size(rows[i].text, rows[i].kilo, &value), rows[i].ok);
		if (rows[i].ok)
			assert_true(value == rows[i].value);
	}
}

static void depth_stack(void **state)
{
	struct load_error error;
	struct stack stack;

	assert_int_equal(parse("--depth 2 --hv hv.elf --hv-append v -a payload --module m:x top"),
			 -1);
	assert_true(stack_build(&options, &stack, &error));
	assert_int_equal(stack.depth, 2);
	assert_string_equal(stack.request.image.path, "hv.elf");
	assert_string_equal(stack.request.image.args, "v");
	assert_int_equal(stack.request.module_count, 3);
	assert_string_equal(stack.request.modules[0].path, "hv.elf");
	assert_string_equal(stack.request.modules[0].args, "v");
	assert_string_equal(stack.request.modules[1].path, "top");
	assert_string_equal(stack.request.modules[1].args, "payload");
	assert_string_equal(stack.request.modules[2].path, "m");
	assert_string_equal(stack.request.modules[2].args, "x");
	stack_free(&stack);
}

static void bare_stack(void **state)
{
	struct load_error error;
	struct stack stack;

	assert_int_equal(parse("-a payload --initrd i --module m top"), -1);
	assert_true(stack_build(&options, &stack, &error));
	assert_int_equal(stack.depth, 0);
	assert_string_equal(stack.request.image.path, "top");
	assert_string_equal(stack.request.image.args, "payload");
	assert_string_equal(stack.request.initrd, "i");
	assert_int_equal(stack.request.module_count, 1);
	stack_free(&stack);
	assert_int_equal(parse("-d 1 --initrd i --module m top"), -1);
	assert_true(stack_build(&options, &stack, &error));
	const char *name = stack.request.image.path;
	assert_string_equal(name + strlen(name) - strlen("/images/hv.elf"), "/images/hv.elf");
	assert_null(stack.request.initrd); /* a module, right behind the kernel */
	assert_string_equal(stack.request.modules[1].path, "i");
	assert_string_equal(stack.request.modules[2].path, "m");
	stack_free(&stack);
}

static void named_stack(void **state)
{
	struct load_error error;
	struct stack stack;

	assert_int_equal(parse("--stack a,b,c -a payload --hv-append v"), -1);
	assert_true(stack_build(&options, &stack, &error));
	assert_int_equal(stack.depth, 2);
	assert_string_equal(stack.request.image.path, "a");
	assert_string_equal(stack.request.modules[0].path, "b");
	assert_string_equal(stack.request.modules[0].args, "v");
	assert_string_equal(stack.request.modules[1].path, "c");
	assert_string_equal(stack.request.modules[1].args, "payload");
	stack_free(&stack);
	assert_int_equal(parse("--stack a,,c"), -1);
	assert_false(stack_build(&options, &stack, &error));
	assert_int_equal(error.status, STATUS_USAGE);
	stack_free(&stack);
}

/* One status, one meaning; port 0xf4 gives the low eight bits of its odd number. */
static void exit_statuses(void **state)
{
	static const int values[] = {
#define EXIT_STATUS(name, value, text) value,
#include "l0/machine/exit_status.def"
	};
	const unsigned count = sizeof(values) / sizeof(values[0]);

	for (unsigned i = 0; i < count; i++)
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(values[i], values[j]);
	assert_int_equal(stop_status(STOP_POWER_OFF, 0), 0);
	assert_int_equal(stop_status(STOP_EXIT_PORT, 0), 1);
	assert_int_equal(stop_status(STOP_EXIT_PORT, 0x10), 0x21);
	assert_int_equal(stop_status(STOP_EXIT_PORT, 0x7f), 0xff);
	assert_int_equal(stop_status(STOP_TRIPLE_FAULT, 0), STATUS_TRIPLE_FAULT);
	assert_int_equal(stop_status(STOP_USER, 0), 130);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses),    cmocka_unit_test(values),
		cmocka_unit_test(sizes),       cmocka_unit_test(depth_stack),
		cmocka_unit_test(bare_stack),  cmocka_unit_test(named_stack),
		cmocka_unit_test(exit_statuses),
	};
	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
