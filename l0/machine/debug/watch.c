/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Events told as they happen.
 */
#include "l0/machine/debug/watch.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "l0/machine/debug/context.h"
#include "l0/machine/symbols.h"

static const char *const names[WATCH_COUNT] = {
#define WATCH(id, name) [WATCH_##id] = (name),
#include "l0/machine/debug/watch_events.def"
};

const char *watch_names(void)
{
	static const char list[] =
#define WATCH(id, name) "," name
#include "l0/machine/debug/watch_events.def"
		;

	return &list[1];
}

static bool add_word(const char *text, size_t length, unsigned *mask)
{
	for (unsigned i = 0; i < WATCH_COUNT; i++)
		if (strlen(names[i]) == length && !memcmp(names[i], text, length)) {
			*mask |= 1u << i;
			return true;
		}
	return false;
}

bool watch_parse(const char *text, unsigned *mask, char *word, unsigned size)
{
	*mask = 0;
	for (;;) {
		size_t length = strcspn(text, ",");

		if (!add_word(text, length, mask)) {
			snprintf(word, size, "%.*s", (int)length, text);
			return false;
		}
		if (!text[length])
			return true;
		text += length + 1;
	}
}

/* As many bytes of the instruction as tell images apart that are linked to one address. */
#define CODE_BYTES 8

const char *watch_symbol(const struct machine *machine, const struct symbols *symbols,
			 const struct context *context, char *text, unsigned size)
{
	uint8_t code[CODE_BYTES];
	uint64_t linear = context_code_linear(context);
	size_t length = context_read(context, &machine->memory, linear, code, sizeof(code));
	const struct symbol *symbol =
		symbols && length ? symbols_find(symbols, linear, code, (unsigned)length) : NULL;

	*text = '\0';
	if (symbol)
		snprintf(text, size, " %s+0x%" PRIx64 " (%s)", symbol->name, linear - symbol->start,
			 symbols_image_name(symbols, symbol->image));
	return text;
}

void watch_tell(struct machine *machine, const char *format, ...)
{
	struct watch *watch = machine->watch;
	struct context context = { 0 };
	struct cpu_stats stats = { 0 };
	char symbol[200];
	va_list args;

	machine->cpu_ops->stats(machine->cpu, &stats);
	if (machine->cpu_ops->context)
		machine->cpu_ops->context(machine->cpu, &context);
	fprintf(watch->out, "%12" PRIu64 " L%u ", stats.instructions,
		context_current_level(machine));
	va_start(args, format);
	vfprintf(watch->out, format, args);
	va_end(args);
	fprintf(watch->out, " at %" PRIx64 "%s\n", context.rip,
		watch_symbol(machine, watch->symbols, &context, symbol, sizeof(symbol)));
}
