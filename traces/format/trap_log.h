/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The trap log: what every level writes about every exit, little-endian, in checksummed blocks. The
 * same header serves the freestanding writer in the hypervisor and the hosted writer and reader.
 *
 * File: struct trap_log_file_header, then blocks in the order in which they were completed, then
 * the end mark: a block of stream TRAP_LOG_END without records, whose `sequence` is the number of
 * blocks before it. A file without it has been cut. The file header's `crc` covers it with crc = 0.
 * Block: struct trap_log_block_header, then `count` records of `record_size` bytes. `crc` is
 * CRC-32C over the header with crc = 0 and the records. A block belongs to one stream: the
 * machine's own log (TRAP_LOG_MACHINE) or a hypervisor level's (0 = L0, 1 = the abyme hypervisor
 * above it ...). `sequence` is that of the block's first record; a gap between blocks of one stream
 * is `dropped`.
 *
 * Transport from a hypervisor: OUT to the log port (LOG_PORT), which any level may execute without
 * an exit if the levels below pass ports through. A level writes one whole block as: OUT 32-bit
 * LOG_BEGIN to LOG_PORT, REP OUTSD of the block to LOG_PORT + 4, OUT 32-bit LOG_END to LOG_PORT. A
 * lower level may interrupt the REP OUTSD and write a whole block of its own, so begin and end nest
 * like brackets. IN 32-bit from LOG_PORT reads LOG_MAGIC where the machine has the port and keeps a
 * log; otherwise levels do not log. A hypervisor leaves `crc` 0: whoever writes the file (the
 * machine) computes it.
 */
#ifndef TRACES_FORMAT_TRAP_LOG_H
#define TRACES_FORMAT_TRAP_LOG_H

#include <stdint.h>

#define LOG_PORT 0x0a80
#define LOG_MAGIC UINT32_C(0x4c594241) /* "ABYL" */
#define LOG_BEGIN UINT32_C(1)
#define LOG_END UINT32_C(2)
/* OUT of LOG_MARK | n by any level: the machine puts a record with path TRAP_PATH_MARK, reason
 * TRAP_MARK_REASON and qualification n into its own stream, so that a guest can bracket what it
 * measures. */
#define LOG_MARK UINT32_C(0x80000000)
#define TRAP_MARK_REASON UINT32_C(0xffff)

#define TRAP_LOG_FILE_MAGIC UINT64_C(0x0a474f4c59424100) /* "\0ABYLOG\n" */
#define TRAP_LOG_BLOCK_MAGIC UINT32_C(0x4b4c4259)        /* "YBLK" */
#define TRAP_LOG_VERSION 2
#define TRAP_LOG_MACHINE UINT16_C(0xffff)
#define TRAP_LOG_END UINT16_C(0xfffe)

struct trap_log_file_header {
	uint64_t magic;
	uint32_t version;
	uint32_t record_size;
	uint64_t hz;   /* cycles a second of the cycle counts */
	uint32_t crc;
	uint32_t reserved;
};

struct trap_log_block_header {
	uint32_t magic;
	uint32_t crc;
	uint16_t stream;
	uint16_t version;
	uint16_t record_size;
	uint16_t count;
	uint64_t sequence; /* of the first record */
	uint64_t dropped;  /* records lost in this stream so far */
};

enum trap_path {
	TRAP_PATH_101 = 0, /* L1 exits, L0 resumes L1 */
	TRAP_PATH_201 = 1, /* L2 exits, reflected to L1 */
	TRAP_PATH_202 = 2, /* L2 exits, absorbed by L0 */
	TRAP_PATH_MACHINE = 3, /* the machine's record: it knows one level only */
	TRAP_PATH_MARK = 4,    /* not an exit: a mark set by a guest */
	TRAP_PATH_COUNT,
};

enum trap_flags {
	TRAP_GPA_VALID = 1,
	TRAP_ENTRY_FAILED = 2,   /* the entry after this exit failed, or this is a failed entry */
	TRAP_FIRST_ENTRY = 4,    /* VMLAUNCH/VMRESUME from L1 led to L2 running */
};

#define TRAP_NO_CAUSE UINT64_MAX

/* One exit. 80 bytes. */
struct trap_record {
	uint64_t sequence;
	uint64_t cause; /* sequence, same stream, of the exit whose handling made this one; or
			   TRAP_NO_CAUSE */
	uint64_t qualification;
	uint64_t rip;          /* guest RIP at the exit */
	uint64_t gpa;          /* guest-physical address, if TRAP_GPA_VALID */
	uint64_t cycles_at;    /* time stamp (TSC of the level that writes) at the exit */
	uint64_t insns_at;     /* retired-instruction counter (fixed counter 0) at the exit */
	uint32_t cycles;       /* from the exit to the next entry, saturating */
	uint32_t insns;        /* instructions retired from the exit to the next entry, saturating */
	uint32_t reason;       /* exit reason field, all 32 bits */
	uint32_t insn_info;    /* VM-exit instruction information; VMREAD/VMWRITE: the field's encoding */
	uint32_t interruption; /* VM-exit interruption information */
	uint8_t path;          /* enum trap_path */
	uint8_t flags;         /* enum trap_flags */
	uint8_t insn_length;
	uint8_t level;         /* TRAP_PATH_MACHINE: the guest that exited, 1 = L1 ...; 0: not told apart */
};
_Static_assert(sizeof(struct trap_record) == 80, "the record is part of the file format");
_Static_assert(sizeof(struct trap_log_block_header) == 32,
	       "the block header is part of the format");

/* CRC-32C (Castagnoli), as iSCSI and ext4 use it; start with crc = 0. */
uint32_t trap_log_crc32c(uint32_t crc, const void *data, uint64_t length);

#endif
