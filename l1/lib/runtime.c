/* SPDX-License-Identifier: BSD-2-Clause
 *
 * From boot.S to main() and from main() to the end of the machine.
 */
#include "l1/lib/runtime.h"

#include "l1/lib/acpi.h"
#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/multiboot.h"
#include "l1/lib/pic.h"
#include "l1/lib/trap.h"

#define EXIT_PORT 0xf4

void runtime_exit(int status)
{
	interrupts_disable();
	if (status)
		outb(EXIT_PORT, (uint8_t)status);
	acpi_power_off();
	for (;;)
		__asm__ volatile("cli; hlt");
}

void runtime_panic(int status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	console_put('\n');
	runtime_exit(status);
}

void runtime_start(uint32_t magic, uint32_t information)
{
	console_init();
	trap_init();
	if (magic != MULTIBOOT_MAGIC)
		runtime_panic(STATUS_NO_MULTIBOOT, "not started by a multiboot 1 loader: eax=%x",
			      magic);
	multiboot_init(information);
	pic_init();
	runtime_exit(main());
}
