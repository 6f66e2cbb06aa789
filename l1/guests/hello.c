/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The least that can be seen to run: one line, then ACPI power-off.
 */
#include "l1/lib/console.h"
#include "l1/lib/runtime.h"

int main(void)
{
	printf("hello from ring 0, long mode\n");
	return STATUS_OK;
}
