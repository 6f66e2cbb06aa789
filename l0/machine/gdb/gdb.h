/* SPDX-License-Identifier: BSD-2-Clause
 *
 * --gdb: GDB's remote serial protocol over TCP, with a thread for each level: thread n + 1 is Ln,
 * as it runs or as it waits in its VMCS. The debugger sees levels that need not know of it, and
 * changes nothing that it is not told to: a run under it is the same run.
 */
#ifndef L0_MACHINE_GDB_GDB_H
#define L0_MACHINE_GDB_GDB_H

#include <stdbool.h>
#include <stdint.h>

struct machine;
struct gdb;

/* Waits for a debugger on 127.0.0.1:port (0: any that is free; the port is told on stderr). Needs
 * machine->levels. False: one line printed. */
bool gdb_open(struct machine *machine, uint16_t port) __attribute__((warn_unused_result));
/* The run is over: tells the debugger, with the exit status. */
void gdb_close(struct machine *machine, int status);

/* True: gdb_before_insn() is to be called before the next instruction. */
bool gdb_wants(const struct gdb *gdb);
/* Between two instructions. Stops if there is a reason to, until the debugger lets go. True:
 * registers or memory may have changed. */
bool gdb_before_insn(struct machine *machine);

/* VM entries and exits, as they happen; `reason` is the basic exit reason. */
void gdb_saw_entry(struct machine *machine, unsigned level);
void gdb_saw_exit(struct machine *machine, unsigned level, uint32_t reason);

#endif
