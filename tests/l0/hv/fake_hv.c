/* SPDX-License-Identifier: BSD-2-Clause
 *
 * See fake_hv.h.
 */
#include "tests/l0/hv/fake_hv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "l0/hv/loader.h"
#include "l0/hv/multiboot.h"

#define REGION_BASE UINT64_C(0x3c00000)
#define REGION_END UINT64_C(0x3e00000)

struct hv hv;
jmp_buf fake_refused;
char fake_message[256];

static _Noreturn void refuse(const char *format, va_list args)
{
	vsnprintf(fake_message, sizeof(fake_message), format, args);
	longjmp(fake_refused, 1);
}

_Noreturn void hv_refuse(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	refuse(format, args);
}

_Noreturn void hv_panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	refuse(format, args);
}

void fake_start(vmx_features features)
{
	void *at = memory_pointer(0);

	munmap(at, FAKE_RAM);
	if (mmap(at, FAKE_RAM, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != at)
		abort();
	hv.machine.caps.features = features;
	hv.machine.caps.maxphyaddr = 40;
	loader_boot = (struct loader_boot){0};
	memory_map = (struct memory_map){
		.map_count = 3,
		.map = {{0, 0xa0000, MULTIBOOT_MEMORY_RAM},
			{0xf0000, 0x100000, MULTIBOOT_MEMORY_RESERVED},
			{0x100000, FAKE_RAM, MULTIBOOT_MEMORY_RAM}},
		.region = {REGION_BASE, REGION_END, MULTIBOOT_MEMORY_RESERVED},
	};
	memory_use(REGION_BASE, REGION_END - REGION_BASE);
	pool_reset();
	pool_add(REGION_BASE, REGION_END);
}
