/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Words for a record: names from the producer's own tables, qualifications taken apart.
 */
#ifndef TRACES_DESCRIBE_H
#define TRACES_DESCRIBE_H

#include <stddef.h>
#include <stdint.h>

#include "traces/format/trap_log.h"

/* "L0", "L1", ... or "machine". Valid until the next call from the same thread. */
const char *trap_stream_name(uint16_t stream);
const char *trap_path_name(uint8_t path);
/* The guest of a machine's record, "L1", "L2" ..., where it is told; else the path. Valid as above.
 */
const char *trap_who_name(uint8_t path, uint8_t level);
/* SDM name of the record's basic exit reason; "REASON_<n>" if the SDM has none. */
const char *trap_reason_name(uint32_t reason);
/* What the exit was about: the register of a CR access, the port, the VMCS field, the kind of EPT
 * violation, the vector. Empty if the reason says it all. */
void trap_record_detail(const struct trap_record *record, char *text, size_t size);

#endif
