/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The list of CPU backends, and the choice among them.
 */
#include "l0/machine/backends.h"

#include <stdio.h>
#include <string.h>

#include "l0/machine/machine.h"

static const struct cpu_ops *const backends[] = {
	&interp_cpu_ops,
	&kvm_cpu_ops,
};

static const struct cpu_ops *choose(const char *interp_only, char *why, size_t size)
{
	if (interp_only) {
		snprintf(why, size, "%s is the interpreter's", interp_only);
		return &interp_cpu_ops;
	}
	return kvm_cpu_ops.probe(why, size) ? &kvm_cpu_ops : &interp_cpu_ops;
}

const struct cpu_ops *backend_choose(const char *name, const char *interp_only, char *why,
				     size_t size)
{
	*why = '\0';
	if (!strcmp(name, "auto"))
		return choose(interp_only, why, size);
	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++)
		if (!strcmp(name, backends[i]->name))
			return backends[i];
	return NULL;
}
