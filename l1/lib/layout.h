/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Selectors of the runtime's GDT (boot.S) and constants that assembly shares with C.
 */
#ifndef L1_LIB_LAYOUT_H
#define L1_LIB_LAYOUT_H

#define KERNEL_CS 0x08
#define KERNEL_DS 0x10
#define USER_CS32 0x1b
#define USER_DS 0x23
#define USER_CS 0x2b
#define KERNEL_CS32 0x30
#define KERNEL_CS16 0x38
#define KERNEL_DS16 0x40
#define ABSENT_DS 0x48
#define TASK_STATE 0x50
#define SPARE0 0x60
#define SPARE1 0x68

#define PTE_BITS_TABLE 0x07 /* P, W, U: leaves decide */
#define PTE_BITS_2M 0x83    /* P, W, PS */

/* Vector that ends a trap_catch() from any privilege level: the guests' own system call. */
#define VECTOR_DONE 0x80

#endif
