/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The trap log of this level (traces/format/trap_log.h): a record for every exit, sent to the log
 * port in blocks. On only where that port answers; off, it costs one branch on each side of an
 * exit.
 */
#ifndef L0_HV_LOG_H
#define L0_HV_LOG_H

#include "l0/hv/hv.h"

extern bool log_on;

/* Looks for the log port. True: there is one, and the log is on. */
bool log_start(void);
/* An exit has happened, nothing has been done about it. */
void log_exit(struct vcpu *vcpu, uint32_t reason);
/* The guest is about to go on. */
void log_resume(struct vcpu *vcpu);
/* The run may end now: closes the open record as if the guest went on, and sends everything. */
void log_end(struct vcpu *vcpu);
/* Sends what has been recorded. */
void log_flush(void);
/* Prints the last records. */
void log_report(void);

#endif
