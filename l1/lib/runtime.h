/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Start and end of an image. An image supplies int main(void); the runtime has set up long mode
 * with an identity map of the low 4 GiB, a stack, traps and the console, and interrupts are off.
 */
#ifndef L1_LIB_RUNTIME_H
#define L1_LIB_RUNTIME_H

#include <stdint.h>

/* Exit statuses that the runtime itself uses; images choose theirs below 0x70. */
enum runtime_status {
	STATUS_OK = 0,
	STATUS_FATAL_TRAP = 0x71,
	STATUS_NO_MULTIBOOT = 0x72,
	STATUS_NO_MEMORY = 0x73,
	STATUS_VMX = 0x74,
};

/* Returned value as for runtime_exit(). */
int main(void);

/* Ends the run. 0: ACPI power-off. Else: `status` to port 0xf4, and where nothing listens there,
 * power off all the same. */
_Noreturn void runtime_exit(int status);

/* Prints one line and ends the run with a failure. */
_Noreturn void runtime_panic(int status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

_Noreturn void runtime_start(uint32_t magic, uint32_t information);

#endif
