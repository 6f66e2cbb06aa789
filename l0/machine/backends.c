/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The list of CPU backends, best first; `auto` takes the first.
 */
#include "l0/machine/backends.h"

#include <stddef.h>
#include <string.h>

#include "l0/machine/machine.h"

static const struct cpu_ops *const backends[] = {
	&interp_cpu_ops,
	&interp_cpu_ops,
	NULL,
};

const struct cpu_ops *backend_find(const char *name)
{
	for (unsigned i = 0; backends[i]; i++)
		if (!strcmp(name, "auto") || !strcmp(name, backends[i]->name))
			return backends[i];
	return NULL;
}
