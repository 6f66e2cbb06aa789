/* SPDX-License-Identifier: BSD-2-Clause
 *
 * In the place of the KVM backend on systems that are not Linux on x86-64.
 */
#include <stdio.h>

#include "l0/machine/machine.h"

#define WHY "KVM needs Linux on x86-64"

static struct cpu *absent_create(struct machine *machine, const char *profile)
{
	fprintf(stderr, "abyme run: " WHY "; try --machine interp\n");
	return NULL;
}

static bool absent_probe(char *why, size_t size)
{
	snprintf(why, size, WHY);
	return false;
}

const struct cpu_ops kvm_cpu_ops = {
	.name = "kvm",
	.create = absent_create,
	.probe = absent_probe,
};
