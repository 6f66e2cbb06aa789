/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The CPU backends, and which of them a run takes.
 */
#ifndef L0_MACHINE_BACKENDS_H
#define L0_MACHINE_BACKENDS_H

#include <stdbool.h>
#include <stddef.h>

struct cpu_ops;

/* name: a backend's, or "auto": KVM where the host offers nested VMX and `interp_only` (an option
 * that only the interpreter knows; NULL: none) is not asked for, else the interpreter. `why`: for
 * "auto", the reason in one line; else empty. NULL: no such backend. */
const struct cpu_ops *backend_choose(const char *name, const char *interp_only, char *why,
				     size_t size);

#endif
