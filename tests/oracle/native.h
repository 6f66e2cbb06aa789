/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One user-mode instruction on the host's own CPU: registers (x87, MMX, SSE and AVX ones too) and
 * flags in, registers, flags, RIP or fault out. The instruction runs at NATIVE_CODE and may touch
 * the data area; both lie at fixed low addresses so that an interpreter can be given the very same
 * ones. The functions need an x86-64 Linux host; what the state looks like is for all hosts.
 */
#ifndef TESTS_ORACLE_NATIVE_H
#define TESTS_ORACLE_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NATIVE_CODE UINT64_C(0x10000000)   /* the page that holds the instruction */
#define NATIVE_AT (NATIVE_CODE + 0x400)	   /* where it starts */
#define NATIVE_OTHER (NATIVE_CODE + 0x440) /* where a taken branch should go */
#define NATIVE_DATA UINT64_C(0x10010000)   /* one page of data, nothing mapped around it */
#define NATIVE_DATA_SIZE 4096
#define NATIVE_FX_SIZE 832 /* XSAVE image: legacy region, header, upper halves of YMM registers */
#define NATIVE_YMM 576

struct native_state {
	uint64_t gpr[16];
	uint64_t rflags; /* status flags and DF */
	uint64_t rip;
	int vector; /* exception vector, -1 if none */
	uint8_t fx[NATIVE_FX_SIZE]
	    __attribute__((aligned(64))); /* x87, MMX, SSE, AVX state, standard XSAVE layout */
};

/* Maps the areas. False: not possible here (wrong architecture, addresses taken). */
bool native_init(void);
/* Whether the upper halves of YMM registers are there; without, they read as they were given. */
bool native_has_avx(void);
/* The CPU's name for itself, family, model and stepping. */
void native_cpu_name(char *name, size_t size);
/* The data page, to be filled and compared by the caller. */
uint8_t *native_data(void);
/* Executes the `length` bytes at `insn`; in and out may be the same. */
void native_execute(const uint8_t *insn, unsigned length, const struct native_state *in,
		    struct native_state *out);

#endif
