/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Debug registers and breakpoint matching, SDM 3B "Debug Registers". Traps wait in
 * cpu->pending_debug for the instruction boundary.
 *
 *   DR7  31:16 LEN, R/W of 3..0 (2 bits each, R/W lower) | 13 GD | 11 RTM | 9 GE | 8 LE
 *        | 7:0 G, L of 3..0 (L lower)
 */
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/profile.h"
#include "l0/machine/interp/sys.h"

#define DR6_WRITABLE UINT64_C(0xe00f)
#define DR7_WRITABLE UINT64_C(0xffff23ff)

static bool breakpoint_enabled(const struct cpu *cpu, unsigned n)
{
	return cpu->dr7 >> 2 * n & 3;
}

static unsigned breakpoint_kind(const struct cpu *cpu, unsigned n)
{
	return cpu->dr7 >> (16 + 4 * n) & 3;
}

/* LEN: 1, 2, 8 or 4 bytes; instruction breakpoints look at one byte. */
static unsigned breakpoint_size(const struct cpu *cpu, unsigned n)
{
	static const uint8_t sizes[] = { 1, 2, 8, 4 };

	if (breakpoint_kind(cpu, n) == DEBUG_EXECUTE)
		return 1;
	return sizes[cpu->dr7 >> (18 + 4 * n) & 3];
}

bool debug_armed(const struct cpu *cpu, uint32_t kinds)
{
	for (unsigned n = 0; (cpu->dr7 & 0xff) && n < 4; n++)
		if (breakpoint_enabled(cpu, n) && (kinds >> breakpoint_kind(cpu, n) & 1))
			return true;
	return false;
}

uint64_t debug_match(const struct cpu *cpu, uint32_t kinds, uint64_t address, unsigned size)
{
	uint64_t hits = 0;

	for (unsigned n = 0; (cpu->dr7 & 0xff) && n < 4; n++) {
		uint64_t length = breakpoint_size(cpu, n);
		uint64_t first = cpu->dr[n] & ~(length - 1);

		if (breakpoint_enabled(cpu, n) && (kinds >> breakpoint_kind(cpu, n) & 1) &&
		    address + size - 1 >= first && address <= first + length - 1)
			hits |= BIT64(n);
	}
	return hits;
}

static void debug_pend(struct cpu *cpu, uint64_t hits)
{
	cpu->pending_debug |= hits;
	if (hits)
		cpu->attention = true;
}

void debug_memory_access(struct cpu *cpu, uint64_t linear, unsigned size, unsigned access)
{
	uint32_t kinds = BIT32(DEBUG_ACCESS);

	if (access & (MEM_IMPLICIT_SUPERVISOR | MEM_FETCH))
		return;
	if (access & MEM_WRITE)
		kinds |= BIT32(DEBUG_WRITE);
	debug_pend(cpu, debug_match(cpu, kinds, linear, size));
}

void debug_port_access(struct cpu *cpu, uint16_t port, unsigned size)
{
	if (cpu->cr4 & CR4_DE)
		debug_pend(cpu, debug_match(cpu, BIT32(DEBUG_IO), port, size));
}

/* ---- MOV DR ---- */

/* A VM exit takes priority over the faults for CPL, CR4.DE and DR7.GD, contrary to the general
 * rule: SDM 3C "Instructions That Cause VM Exits Conditionally" (MOV DR). Returns 0-3, 6 or 7. */
static unsigned check_dr(struct cpu *cpu, const struct op *op, bool from)
{
	unsigned dr = op->reg;

	if (dr > 7)
		cpu_fault(cpu, VECTOR_UD);
	if (cpu->vmx->nonroot)
		vmx_intercept_mov_dr(cpu, dr, from, op->rm);
	if ((dr == 4 || dr == 5) && (cpu->cr4 & CR4_DE))
		cpu_fault(cpu, VECTOR_UD);
	require_cpl0(cpu);
	if (cpu->dr7 & DR7_GD) {
		cpu_unwind(cpu);
		cpu->event = (struct cpu_event){ .valid = true,
						 .vector = VECTOR_DB,
						 .type = INTR_TYPE_HARDWARE_EXCEPTION,
						 .dr6 = DR6_BD };
		cpu_escape(cpu);
	}
	return dr < 4 ? dr : dr | 2;
}

void insn_mov_from_dr(struct cpu *cpu, const struct op *op)
{
	unsigned dr = check_dr(cpu, op, true);
	uint64_t value = dr == 6 ? cpu->dr6 : dr == 7 ? cpu->dr7 : cpu->dr[dr];

	reg_write(cpu, op, op->rm, op->opsize, value);
}

void insn_mov_to_dr(struct cpu *cpu, const struct op *op)
{
	unsigned dr = check_dr(cpu, op, false);
	uint64_t value = reg_read(cpu, op, op->rm, op->opsize);
	bool has_rtm = cpu_has(cpu->profile, RTM);

	if (dr >= 6 && value >> 32)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	if (dr == 6)
		cpu->dr6 = has_rtm ? (value & (DR6_WRITABLE | DR6_RTM)) | (DR6_FIXED1 & ~DR6_RTM)
				   : (value & DR6_WRITABLE) | DR6_FIXED1;
	else if (dr == 7)
		cpu->dr7 = (value & (DR7_WRITABLE | (has_rtm ? DR7_RTM : 0))) | DR7_FIXED1;
	else
		cpu->dr[dr] = value;
	cpu->attention = true;
	cpu_mode_changed(cpu);
}
