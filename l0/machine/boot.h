/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The register state in which a boot loader leaves the CPU; a loader fills it, a backend takes it.
 */
#ifndef L0_MACHINE_BOOT_H
#define L0_MACHINE_BOOT_H

#include <stdint.h>

enum boot_mode {
	BOOT_REAL,        /* real mode at 0:rip, below 64 KiB */
	BOOT_PROTECTED32, /* multiboot 1: flat 4 GiB segments, paging off, A20 on */
	BOOT_LONG64,      /* Linux 64-bit boot protocol: paging on, page tables at cr3 */
};

struct cpu_boot_state {
	enum boot_mode mode;
	uint64_t rip;
	uint64_t rax, rbx, rsi, rsp;
	uint64_t cr3;      /* BOOT_LONG64 */
	uint64_t gdt_base; /* BOOT_PROTECTED32/LONG64: code 0x10, data 0x18 (Linux protocol) */
	uint16_t gdt_limit;
};

#endif
