/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The parts of the hostile L1: chance, addresses, its VMCS12 and EPT12, stray VMX instructions.
 *
 * It stays alive by two rules, for it has no use once dead: no address that the hypervisor may
 * write to lies in its own image (HOSTILE_OWN), and what an exit loads into L1 is either right or
 * refused at entry.
 */
#ifndef TESTS_GUESTS_HOSTILE_HOSTILE_H
#define TESTS_GUESTS_HOSTILE_HOSTILE_H

#ifdef __ASSEMBLER__
#define L2_CODES 10
#else

#include <stdbool.h>
#include <stdint.h>

#define HOSTILE_OWN UINT64_C(0x1000000)     /* the image and all that it allocates end below */
#define HOSTILE_SCRATCH UINT64_C(0x1000000) /* [16, 32) MiB: free for all */
#define HOSTILE_SCRATCH_END UINT64_C(0x2000000)
#define L2_CODES 10

/* ---- chance.c ---- */
void chance_seed(uint64_t seed);
uint64_t chance(void);
/* True once in n. */
bool chance_one_in(uint64_t n);
/* An address to make trouble with: the hypervisor's memory, scratch, holes, MMIO without a device,
 * beyond the physical width, unaligned. Never in HOSTILE_OWN. top: first byte after RAM as far as
 * L1 is told. */
uint64_t chance_address(uint64_t top);
/* A value for a field of any kind. */
uint64_t chance_value(uint64_t top);

/* ---- vmcs12.c ---- */
/* Makes a VMCS12 that works, and remembers its contents as the state to start each entry from. */
void vmcs12_create(void);
/* Back to that state; false: the VMCS12 is not current any more. */
bool vmcs12_restore(void);
/* Changes some fields. */
void vmcs12_spoil(uint64_t top);

/* ---- ept12.c ---- */
/* EPTP of tables that show L2 L1's own image read-only, so that L2 has code and paging to run on.
 */
uint64_t ept12_create(void);
/* Changes entries for L2's memory above HOSTILE_OWN. */
void ept12_spoil(uint64_t top);

/* ---- stray.c ---- */
/* One random VMX instruction with random operands; faults are caught. True: VMX operation or the
 * current VMCS may have changed. */
bool stray_instruction(uint64_t top);

/* ---- enter.S ---- */
/* VMLAUNCH or VMRESUME with RBX, RSI and R8 to R15 taken from `registers` (10 values). False:
 * VMfail. */
bool hostile_enter(bool launched, const uint64_t *registers);
extern const char *const hostile_l2_code[L2_CODES]; /* where L2 may start */

#endif
#endif
