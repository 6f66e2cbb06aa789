/* SPDX-License-Identifier: BSD-2-Clause
 *
 * I/O and MSR bitmaps. SDM 3C "I/O-Bitmap Addresses", "MSR-Bitmap Address", "Exit Qualification for
 * I/O Instructions".
 */
#include "l0/machine/interp/vmx/vmx.h"

#include "l0/machine/interp/vmx/private.h"

static bool bitmap_bit(struct cpu *cpu, uint64_t bitmap, uint32_t bit)
{
	return phys_read(cpu, bitmap + bit / 8, 1) >> (bit % 8) & 1;
}

/* ---- I/O ---- */

/* Bitmap A covers ports 0-7fff, B the rest. An access that wraps around 64 KiB exits. */
static bool port_exits(struct cpu *cpu, uint16_t port, unsigned size)
{
	const struct vmx_private *private = vmx_private(cpu);

	if (port + size > 0x10000)
		return true;
	for (uint32_t p = port; p < port + size; p++)
		if (bitmap_bit(cpu, private->io_bitmap[p >> 15], p & 0x7fff))
			return true;
	return false;
}

/* 2:0 size - 1 | 3 IN | 4 string | 5 REP | 6 immediate | 31:16 port */
static uint64_t io_qualification(const struct vmx_io *io)
{
	return (io->size - 1u) | (io->in ? BIT32(3) : 0) | (io->string ? BIT32(4) : 0) |
	       (io->rep ? BIT32(5) : 0) | (io->immediate ? BIT32(6) : 0) | (uint32_t)io->port << 16;
}

void vmx_intercept_io(struct cpu *cpu, const struct vmx_io *io)
{
	struct vmx_exit_info info = {
		.reason = EXIT_REASON_IO_INSTRUCTION,
		.has_linear = io->string,
		.linear = io->linear,
	};

	if (!cpu->vmx->nonroot)
		return;
	if (vmx_primary(cpu, PRIMARY_USE_IO_BITMAPS)) {
		if (!port_exits(cpu, io->port, io->size))
			return;
	} else if (!vmx_primary(cpu, PRIMARY_UNCONDITIONAL_IO_EXITING)) {
		return;
	}
	info.qualification = io_qualification(io);
	vmx_exit_with(cpu, &info);
}

/* ---- MSRs ---- */

/* 0: read low | 400h: read high | 800h: write low | c00h: write high; other MSRs always exit. */
static bool msr_exits(struct cpu *cpu, uint32_t msr, bool write)
{
	uint64_t bitmap = vmx_private(cpu)->msr_bitmap + (write ? 0x800 : 0);

	if (!vmx_primary(cpu, PRIMARY_USE_MSR_BITMAPS))
		return true;
	if (msr <= 0x1fff)
		return bitmap_bit(cpu, bitmap, msr);
	if (msr >= 0xc0000000 && msr <= 0xc0001fff)
		return bitmap_bit(cpu, bitmap + 0x400, msr & 0x1fff);
	return true;
}

void vmx_intercept_rdmsr(struct cpu *cpu, uint32_t msr)
{
	if (cpu->vmx->nonroot && msr_exits(cpu, msr, false))
		vmx_exit(cpu, EXIT_REASON_RDMSR, 0);
}

void vmx_intercept_wrmsr(struct cpu *cpu, uint32_t msr)
{
	if (cpu->vmx->nonroot && msr_exits(cpu, msr, true))
		vmx_exit(cpu, EXIT_REASON_WRMSR, 0);
}
