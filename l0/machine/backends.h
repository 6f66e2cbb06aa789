/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The CPU backends that this build has.
 */
#ifndef L0_MACHINE_BACKENDS_H
#define L0_MACHINE_BACKENDS_H

struct cpu_ops;

/* name: auto, interp, kvm. NULL: not in this build. */
const struct cpu_ops *backend_find(const char *name);

#endif
