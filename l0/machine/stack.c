/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Turns --depth, --stack and IMAGE into one boot request: the bottom image, and the rest as its
 * modules in order. A hypervisor takes its first module as its guest and hands the others on.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "l0/machine/command.h"
#include "l0/machine/options.h"

#define HV_BESIDE "/images/hv.elf"
/* What a hypervisor keeps for itself at the least, l0/hv/README.md. */
#define HV_KEEPS (UINT64_C(2) << 20)

/* DIR/images/hv.elf for the running DIR/abyme. */
static char *hv_beside(void)
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - sizeof(HV_BESIDE));

	if (length <= 0)
		return strdup("build" HV_BESIDE);
	path[length] = '\0';
	char *slash = strrchr(path, '/');
	strcpy(slash ? slash : path, HV_BESIDE);
	return strdup(path);
}

static unsigned count_commas(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == ',';
	return n;
}

/* Fills files[] with the images, bottom first; returns how many, 0: an empty name. */
static unsigned stack_images(const struct run_options *options, struct stack *stack)
{
	unsigned n = 0;

	if (!options->stack) {
		for (; n < options->depth; n++)
			stack->files[n].path = options->hv ? options->hv : stack->text;
		stack->files[n++].path = options->image;
		return n;
	}
	for (char *name = stack->text, *comma; name; name = comma) {
		comma = strchr(name, ',');
		if (comma)
			*comma++ = '\0';
		if (!*name)
			return 0;
		stack->files[n++].path = name;
	}
	return n;
}

/* Deep in the stack the want of memory would show only after very many instructions: say so before.
 */
static bool enough_memory(const struct run_options *options, struct load_error *error)
{
	uint64_t need = (options->depth + 1) * HV_KEEPS;

	return options->mem >= need ||
	       load_fail(error, STATUS_USAGE,
			 "--depth %u takes more than %" PRIu64 "M of memory: each hypervisor keeps at least %" PRIu64
			 "M; give a larger --mem",
			 options->depth, need >> 20, HV_KEEPS >> 20);
}

bool stack_build(const struct run_options *options, struct stack *stack, struct load_error *error)
{
	unsigned images = options->stack ? count_commas(options->stack) + 1 : options->depth + 1;

	memset(stack, 0, sizeof(*stack));
	if (!enough_memory(options, error))
		return false;
	stack->text = options->stack ? strdup(options->stack) : hv_beside();
	stack->files = calloc(images + options->module_count + 1, sizeof(*stack->files));
	if (!stack->text || !stack->files)
		return load_fail(error, STATUS_ERROR, "out of memory");
	if (!stack_images(options, stack))
		return load_fail(error, STATUS_USAGE, "--stack %s has an empty name",
				 options->stack);
	for (unsigned i = 0; i + 1 < images; i++)
		stack->files[i].args = options->hv_append;
	stack->files[images - 1].args = options->append;
	unsigned n = images;
	/* Below Linux, the initial RAM disk travels as the module after the kernel. */
	if (options->initrd && images > 1)
		stack->files[n++].path = options->initrd;
	for (unsigned i = 0; i < options->module_count; i++)
		stack->files[n++] = options->modules[i];
	stack->depth = images - 1;
	stack->request = (struct load_request){ .image = stack->files[0],
						.modules = stack->files + 1,
						.module_count = n - 1,
						.initrd = images > 1 ? NULL : options->initrd };
	return true;
}

void stack_free(struct stack *stack)
{
	free(stack->files);
	free(stack->text);
	memset(stack, 0, sizeof(*stack));
}
