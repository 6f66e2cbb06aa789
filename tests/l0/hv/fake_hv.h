/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The hypervisor's surroundings for hosted tests. Limits: one piece of RAM from 0, mapped where
 * HV_PHYSICAL says; a refusal comes back to the test; nothing executes VMX.
 */
#ifndef TESTS_L0_HV_FAKE_HV_H
#define TESTS_L0_HV_FAKE_HV_H

#include <setjmp.h>

#include "l0/hv/hv.h"

#define FAKE_RAM UINT64_C(0x4000000) /* 64 MiB */

extern jmp_buf fake_refused;
extern char fake_message[256];

/* Fresh RAM, a map of it (640 KiB, and from 1 MiB on), no used areas, a region of ours at its top.
 */
void fake_start(vmx_features features);
/* Evaluates to whether `call`, a statement, was refused. */
#define FAKE_REFUSES(call)                                                                         \
	__extension__({                                                                            \
		volatile bool refused_ = true;                                                     \
		if (!setjmp(fake_refused)) {                                                       \
			call;                                                                      \
			refused_ = false;                                                          \
		}                                                                                  \
		refused_;                                                                          \
	})

#endif
