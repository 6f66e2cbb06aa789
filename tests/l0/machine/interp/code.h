/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Short pieces of 64-bit code run by the whole engine on protect.h's fixture, to a HLT.
 */
#ifndef TESTS_L0_MACHINE_INTERP_CODE_H
#define TESTS_L0_MACHINE_INTERP_CODE_H

#include "tests/l0/machine/interp/protect.h"

#define HLT 0xf4

#define CODE_AT(f, at, ...)                                                                        \
	do {                                                                                       \
		static const uint8_t bytes_[] = {__VA_ARGS__};                                     \
		assert_true(memory_write(&(f)->machine.memory, at, bytes_, sizeof(bytes_)));       \
	} while (0)

/* Vectors 0 to `last` each halt at HANDLER + 16 * vector. */
static inline void put_halting_handlers(struct fixture *f, unsigned last)
{
	for (unsigned v = 0; v <= last; v++) {
		put_gate(f, IDT + v * 16, 14, 0, CODE64, HANDLER + 16 * v, 0);
		CODE_AT(f, HANDLER + 16 * v, HLT);
	}
}

/* The address behind the HLT that ends it. */
static inline uint64_t run_to_hlt(struct fixture *f)
{
	f->machine.stop = STOP_NONE;
	f->machine.max_insns = f->cpu.insns + 20000;
	interp_cpu_ops.run(&f->cpu);
	assert_int_equal(f->machine.stop, STOP_HALTED);
	return cpu_rip(&f->cpu);
}

#endif
