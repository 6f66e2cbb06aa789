/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The stub among itself.
 */
#ifndef L0_MACHINE_GDB_PRIVATE_H
#define L0_MACHINE_GDB_PRIVATE_H

#include <stddef.h>

#include "l0/machine/debug/context.h"
#include "l0/machine/gdb/gdb.h"
#include "l0/machine/machine.h"

#define GDB_PACKET 16384
#define GDB_BREAKS 256
#define GDB_WATCH_BYTES 8
#define GDB_CATCHES 32
#define GDB_ANY UINT32_MAX

struct gdb_watchpoint {
	uint64_t linear, hpa;
	unsigned length; /* 0: a free place */
	uint8_t value[GDB_WATCH_BYTES];
};

enum gdb_catch_kind { GDB_CATCH_ENTRY, GDB_CATCH_EXIT, GDB_CATCH_INSN };

struct gdb_catch {
	enum gdb_catch_kind kind;
	uint32_t what;	/* exit reason, row of vmx_insns.def; GDB_ANY */
	uint32_t level; /* that enters, exits or executes; GDB_ANY */
};

struct gdb {
	struct machine *machine;
	int socket;		     /* -1: the debugger has gone */
	volatile bool interrupt;     /* something has come from the debugger */
	bool acknowledge, answered, stopped, resumed, changed;
	char in[GDB_PACKET + 1], out[GDB_PACKET + 16];
	size_t in_length, out_length;
	char input[4096]; /* received and not looked at yet */
	size_t input_at, input_end;

	uint32_t selected; /* level that g, m and the like are about; GDB_ANY: the one that runs */
	uint32_t break_level; /* at which breakpoints count; GDB_ANY */
	uint64_t breaks[GDB_BREAKS];
	unsigned break_count;
	struct gdb_watchpoint watchpoints[4];
	struct gdb_catch catches[GDB_CATCHES];
	unsigned catch_count;
	bool stepping;
	unsigned step_level; /* stops at this level or above it: the ones below are its hardware */
	/* instructions retired when it was let go: no breakpoint counts there */
	uint64_t resumed_at;
	bool caught;         /* by an entry or an exit, told at the next instruction */
	char stop[80];       /* the stop reply: "S05" and the like with what caused it */
	char why[160];	     /* for the console: what was caught */
};

/* packet.c. One packet into gdb->in; false: the debugger has gone. */
bool gdb_receive(struct gdb *gdb) __attribute__((warn_unused_result));
/* True: the debugger wants a word, or has gone. gdb->stop says it. */
bool gdb_interrupted(struct gdb *gdb);
/* Sends gdb->out, of gdb->out_length. */
void gdb_send(struct gdb *gdb);
void gdb_put(struct gdb *gdb, const char *format, ...) __attribute__((format(printf, 2, 3)));
void gdb_put_hex(struct gdb *gdb, const void *data, size_t length);
/* Hexadecimal digits to bytes; returns how many bytes. */
size_t gdb_parse_hex(const char *text, void *to, size_t room);
/* Text for the debugger's console, at any time while it waits. */
void gdb_say(struct gdb *gdb, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* registers.c. Appends all registers, or one; takes one. */
void gdb_put_registers(struct gdb *gdb, const struct context *context);
bool gdb_put_register(struct gdb *gdb, const struct context *context, unsigned number);
bool gdb_set_register(struct context *context, unsigned number, uint64_t value);
unsigned gdb_register_size(unsigned number); /* in bytes; 0: there is none */
/* The target description, GDB manual "Target Descriptions". */
const char *gdb_target_xml(void);

/* breaks.c */
bool gdb_break_insert(struct gdb *gdb, uint64_t linear);
void gdb_break_remove(struct gdb *gdb, uint64_t linear);
bool gdb_watch_insert(struct gdb *gdb, uint64_t linear, unsigned length);
void gdb_watch_remove(struct gdb *gdb, uint64_t linear);
/* Is there a reason to stop here? gdb->stop and gdb->why say it. */
bool gdb_should_stop(struct gdb *gdb);

/* monitor.c */
void gdb_monitor(struct gdb *gdb, char *command);

/* serve.c. The level that the debugger looks at. */
unsigned gdb_level(const struct gdb *gdb);
void gdb_serve(struct gdb *gdb);

/* The VMX instruction at the level's RIP as a row of vmx_insns.def; -1: none. */
int gdb_vmx_insn(const struct gdb *gdb, const struct context *context);
const char *gdb_vmx_insn_name(unsigned row); /* NULL: no such row */

#endif
