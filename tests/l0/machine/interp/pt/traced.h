/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Code that runs twice on whole machines: traced by Intel PT, and executed one instruction at a
 * time with every address noted. The trace is decoded by libipt, which nobody here wrote, over the
 * same memory; it must name the same addresses.
 */
#ifndef TESTS_L0_MACHINE_INTERP_PT_TRACED_H
#define TESTS_L0_MACHINE_INTERP_PT_TRACED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "l0/machine/interp/pt/pt.h"
#include "tests/l0/machine/interp/whole.h"

/* The guest's memory; linear addresses are physical ones. */
#define PT_RAM (UINT64_C(16) << 20)
#define PT_IDT UINT64_C(0x6000)
#define PT_TSS UINT64_C(0x7000)
#define PT_HANDLERS UINT64_C(0x10000) /* 64 bytes each */
#define PT_STACK UINT64_C(0x90000)
#define PT_INNER_STACK UINT64_C(0x98000)
#define PT_CODE UINT64_C(0x100000)
#define PT_TOPA UINT64_C(0x3f0000)
#define PT_BUFFER UINT64_C(0x400000)
#define PT_BUFFER_SIZE UINT64_C(0x400000)
#define PT_DATA UINT64_C(0x900000)
/* Selectors. */
enum {
	PT_CS = 0x10,
	PT_DS = 0x18,
	PT_CS32_USER = 0x23,
	PT_DS_USER = 0x2b,
	PT_CS_USER = 0x33,
	PT_TR = 0x38,
	PT_CS32 = 0x48
};

struct pt_case {
	const char *part;			/* in the words of --cpu; NULL: cascade-lake */
	void (*setup)(struct machine *machine); /* code, registers, devices */
	uint64_t ctl;				/* IA32_RTIT_CTL but for TraceEn */
	bool by_field;				/* TraceEn is VM entry's to load */
	uint64_t insns;				/* to run; or until HLT with nothing to come */
	bool (*wanted)(uint64_t rip, unsigned cpl, uint64_t cr3); /* NULL: all is traced */
};

struct pt_step {
	uint64_t rip;
	bool software_interrupt; /* which a decoder takes for an event */
};

struct pt_run {
	struct machine machine; /* the traced one, after the run */
	uint8_t *trace;
	size_t size;
	struct pt_step *steps;
	size_t count;
	uint64_t filter_ctl, filter_addr[4]; /* what libipt is told of filters */
	unsigned events[64];		     /* that libipt met, by enum pt_event_type */
	size_t decoded;			     /* instructions */
};

/* Runs both; gathers the trace where the registers say it is: a single range that has not wrapped.
 */
void pt_run(const struct pt_case *c, struct pt_run *r);
/* Only the traced machine, so far that it can be run: TraceEn is 1. */
void pt_prepare(const struct pt_case *c, struct machine *machine);
/* Decodes r->trace; fails unless it is r->steps, `from` and what follows; allows for `missing` at
 * the end. */
void pt_compare(struct pt_run *r, size_t from, size_t missing);
void pt_run_free(struct pt_run *r);

void pt_set(struct machine *machine, uint32_t msr, uint64_t value);
uint64_t pt_get(struct machine *machine, uint32_t msr);

/* Puts code; a handler's code at its vector. */
#define PT_PUT(machine, at, ...)                                                                   \
	do {                                                                                       \
		static const uint8_t bytes_[] = {__VA_ARGS__};                                     \
		whole_put(machine, at, bytes_, sizeof(bytes_));                                    \
	} while (0)
#define PT_HANDLER(vector) (PT_HANDLERS + 64 * (vector))

/* How often a packet with this header (of `size` bytes) is in the trace, by libipt's packet
 * decoder. */
unsigned pt_count_packets(const struct pt_run *r, int type);

#endif
