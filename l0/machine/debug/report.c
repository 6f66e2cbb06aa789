/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The state of every level in words. It looks, and touches nothing.
 */
#include "l0/machine/debug/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "l0/machine/debug/context.h"
#include "l0/machine/debug/watch.h"
#include "l0/machine/levels.h"
#include "l0/machine/machine.h"
#include "l0/machine/stop.h"
#include "l0/machine/symbols.h"

/* Of the stack, how much is looked through for return addresses, and how many are shown. */
#define STACK_BYTES 2048
#define STACK_LINES 12
#define FIELDS_A_LINE 3

static void print_registers(const struct context *context)
{
	static const char *const names[REG_COUNT] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP",
						     "RSI", "RDI", "R8",  "R9",	 "R10", "R11",
						     "R12", "R13", "R14", "R15"};

	fprintf(stderr, "  RIP %016" PRIx64 "  RFLAGS %08" PRIx64 "  CS %04x  SS %04x\n",
		context->rip, context->rflags, context->seg[SEG_CS].selector,
		context->seg[SEG_SS].selector);
	fprintf(stderr,
		"  CR0 %08" PRIx64 "  CR2 %" PRIx64 "  CR3 %" PRIx64 "  CR4 %08" PRIx64
		"  EFER %" PRIx64 "  EPTP %" PRIx64 "\n",
		context->cr0, context->cr2, context->cr3, context->cr4, context->efer,
		context->eptp);
	if (!context->gpr_known) {
		fprintf(stderr, "  RSP %016" PRIx64 ", the others are on its stack\n",
			context->gpr[REG_RSP]);
		return;
	}
	for (unsigned i = 0; i < REG_COUNT; i++)
		fprintf(stderr, "  %-3s %016" PRIx64 "%s", names[i], context->gpr[i],
			i % 4 == 3 ? "\n" : "");
}

/* Words on the stack that point behind a CALL, as far as symbols tell: calls that have not
 * returned, and some that have. */
static void print_stack(const struct machine *machine, const struct symbols *symbols,
			const struct context *context)
{
	uint8_t stack[STACK_BYTES];
	unsigned word = context_is_64bit(context) ? 8 : 4, lines = 0;
	size_t length = context_read(context, &machine->memory,
				     context->seg[SEG_SS].base + context->gpr[REG_RSP], stack,
				     sizeof(stack));

	for (size_t at = 0; at + word <= length && lines < STACK_LINES; at += word) {
		struct context caller = *context;
		char text[200];

		caller.rip = 0;
		for (unsigned i = 0; i < word; i++)
			caller.rip |= (uint64_t)stack[at + i] << 8 * i;
		if (*watch_symbol(machine, symbols, &caller, text, sizeof(text))) {
			fprintf(stderr, "    %016" PRIx64 "%s\n", caller.rip, text);
			lines++;
		}
	}
}

static void print_vmcs(const struct machine *machine, const struct levels_row *row)
{
	const struct vmcs *vmcs = (const void *)memory_at(&machine->memory, row->vmcs);
	unsigned shown = 0;

	fprintf(stderr, "  VMCS at %" PRIx64 ", fields that are not 0:\n", row->vmcs);
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
		if (vmcs->field[i])
			fprintf(stderr, "    %s=%" PRIx64 "%s", vmcs_fields[i].name,
				vmcs->field[i], ++shown % FIELDS_A_LINE ? "" : "\n");
	if (shown % FIELDS_A_LINE)
		fputc('\n', stderr);
}

static void print_level(const struct machine *machine, const struct symbols *symbols,
			unsigned level)
{
	struct context context;
	char text[200];
	const struct levels_row *row = level ? levels_find(machine->levels, level) : NULL;

	if (!context_of_level(machine, level, &context)) {
		fprintf(stderr, "L%u: its state is not in a VMCS any more\n", level);
		return;
	}
	fprintf(stderr, "L%u%s:%s\n", level,
		level == context_current_level(machine) ? ", running" : "",
		watch_symbol(machine, symbols, &context, text, sizeof(text)));
	print_registers(&context);
	print_stack(machine, symbols, &context);
	if (row)
		print_vmcs(machine, row);
}

static void print_exits(const struct machine *machine)
{
	const struct levels *levels = machine->levels;
	uint64_t first = levels->exits < LEVELS_LAST ? 0 : levels->exits - LEVELS_LAST;

	fprintf(stderr, "Last VM exits of %" PRIu64 ":\n", levels->exits);
	for (uint64_t i = first; i < levels->exits; i++) {
		const struct levels_exit *exit = &levels->last[i % LEVELS_LAST];

		fprintf(stderr, "%12" PRIu64 " L%u %s qualification=%" PRIx64 " at %" PRIx64 "\n",
			exit->insns, exit->level, vmx_exit_reason_name(exit->reason),
			exit->qualification, exit->rip);
	}
}

static bool ended_badly(const struct machine *machine)
{
	switch (machine->stop) {
	case STOP_TRIPLE_FAULT:
	case STOP_HALTED:
	case STOP_VMX_ABORT:
	case STOP_GUARD:
	case STOP_HANG:
	case STOP_ERROR:
	case STOP_USER:
	case STOP_INSN_LIMIT:
		return true;
	default:
		return false;
	}
}

/* A guest that gives up by itself often does so because of this. */
static void print_failure(const struct machine *machine)
{
	const char *failure = stop_entry_failure(machine);

	if (machine->stop == STOP_EXIT_PORT && failure)
		fprintf(stderr, "abyme run: last failed VM entry: %s\n", failure);
}

void report_end(const struct machine *machine, const struct symbols *symbols, bool wanted)
{
	unsigned deepest = 0;

	if (!machine->cpu_ops->context || !(wanted || isatty(STDERR_FILENO)))
		return;
	print_failure(machine);
	if (!ended_badly(machine))
		return;
	for (unsigned i = 0; i < LEVELS_ROWS; i++)
		if (machine->levels->rows[i].used && machine->levels->rows[i].level > deepest)
			deepest = machine->levels->rows[i].level;
	for (unsigned level = 0; level <= deepest; level++)
		print_level(machine, symbols, level);
	if (machine->levels->exits)
		print_exits(machine);
}
