/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Marks in the machine's trap log, with which a guest brackets what it measures:
 * traces/format/trap_log.h, LOG_MARK. Without a log the port is not there and a mark does nothing.
 */
#ifndef L1_LIB_MARK_H
#define L1_LIB_MARK_H

#include "l1/lib/cpu.h"
#include "traces/format/trap_log.h"

static inline void mark_set(uint32_t number)
{
	if (inl(LOG_PORT) == LOG_MAGIC)
		outl(LOG_PORT, LOG_MARK | number);
}

#endif
