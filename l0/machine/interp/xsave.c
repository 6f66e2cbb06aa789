/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Saving and restoring extended state: FXSAVE, the XSAVE family, XGETBV and XSETBV, MXCSR. The
 * state is kept as its own standard-format image in cpu->xsave_area; components are x87 and SSE,
 * all of it in the legacy region, so that the compacted format differs in its header only.
 *
 *   0 FCW | 2 FSW | 4 FTW | 6 FOP | 8 FIP | 16 FDP | 24 MXCSR | 28 MXCSR_MASK | 32 ST/MM | 160 XMM
 *   416 reserved | 512 XSTATE_BV | 520 XCOMP_BV | 528 reserved, 0 | 576
 */
#include "l0/machine/interp/mmu.h"

#include <string.h>

#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/profile.h"
#include "l0/machine/interp/simd/simd.h"

#define X87 UINT64_C(1)
#define SSE UINT64_C(2)
#define AVX UINT64_C(4)
#define COMPACT BIT64(63)
#define MXCSR_MASK 0xffffu
#define AT_MXCSR 24
#define AT_ST 32
#define AT_XMM 160
#define XMM_END 416
#define AT_HEADER 512
#define FXSAVE_SIZE 512
#define XSAVE_SIZE 576

enum { SAVE_XSAVE, SAVE_XSAVEOPT, SAVE_XSAVEC, SAVE_XSAVES };

static void fault_gp(struct cpu *cpu)
{
	cpu_fault_code(cpu, VECTOR_GP, 0);
}

/* Registers XMM8-15 exist in 64-bit mode only. */
static unsigned xmm_end(const struct cpu *cpu)
{
	return cpu_code64(cpu) ? XMM_END : AT_XMM + 8 * 16;
}

/* ---- memory ---- */

static uint64_t operand(struct cpu *cpu, const struct op *op, unsigned size, unsigned align,
			unsigned access)
{
	uint64_t linear = seg_linear(cpu, op->seg, op_ea(cpu, op), size, access);

	if (linear & (align - 1))
		fault_gp(cpu);
	lin_probe(cpu, linear, size, access);
	return linear;
}

static void copy_out(struct cpu *cpu, uint64_t linear, const uint8_t *from, unsigned start,
		     unsigned end)
{
	for (unsigned i = start; i < end; i += 4) {
		uint32_t word;

		memcpy(&word, from + i, 4);
		lin_write(cpu, linear + i, 4, word, MEM_WRITE);
	}
}

static void copy_in(struct cpu *cpu, uint64_t linear, uint8_t *to, unsigned start, unsigned end)
{
	for (unsigned i = start; i < end; i += 4) {
		uint32_t word = (uint32_t)lin_read(cpu, linear + i, 4, MEM_READ);

		memcpy(to + i, &word, 4);
	}
}

static uint32_t mxcsr_of(const uint8_t *area)
{
	uint32_t mxcsr;

	memcpy(&mxcsr, area + AT_MXCSR, 4);
	return mxcsr;
}

/* ---- state components ---- */

static const uint8_t x87_init[AT_MXCSR] = {0x7f, 0x03};

static void init_x87(uint8_t *area)
{
	memcpy(area, x87_init, sizeof(x87_init));
	memset(area + AT_ST, 0, AT_XMM - AT_ST);
}

static bool zero(const uint8_t *from, size_t size)
{
	while (size--)
		if (*from++)
			return false;
	return true;
}

/* XINUSE: components that are not in their initial configuration. */
static uint64_t in_use(const struct cpu *cpu)
{
	const uint8_t *area = cpu->xsave_area;
	uint64_t used = 0;

	if (memcmp(area, x87_init, sizeof(x87_init)) || !zero(area + AT_ST, AT_XMM - AT_ST))
		used |= X87;
	if (!zero(area + AT_XMM, XMM_END - AT_XMM))
		used |= SSE;
	return used;
}

/* ---- FXSAVE, FXRSTOR, MXCSR ---- */

static void check_fx(struct cpu *cpu)
{
	if (cpu->cr0 & (CR0_EM | CR0_TS))
		cpu_fault(cpu, VECTOR_NM);
}

void insn_fxsave(struct cpu *cpu, const struct op *op)
{
	uint8_t image[FXSAVE_SIZE];
	uint32_t mask = MXCSR_MASK;
	uint64_t linear;

	check_fx(cpu);
	linear = operand(cpu, op, FXSAVE_SIZE, 16, MEM_WRITE);
	memcpy(image, cpu->xsave_area, FXSAVE_SIZE);
	memcpy(image + AT_MXCSR + 4, &mask, 4);
	copy_out(cpu, linear, image, 0, cpu->cr4 & CR4_OSFXSR ? xmm_end(cpu) : AT_XMM);
}

void insn_fxrstor(struct cpu *cpu, const struct op *op)
{
	uint8_t image[FXSAVE_SIZE];
	uint64_t linear;
	unsigned end;

	check_fx(cpu);
	linear = operand(cpu, op, FXSAVE_SIZE, 16, MEM_READ);
	end = cpu->cr4 & CR4_OSFXSR ? xmm_end(cpu) : AT_XMM;
	memcpy(image, cpu->xsave_area, FXSAVE_SIZE);
	copy_in(cpu, linear, image, 0, end);
	if (mxcsr_of(image) & ~MXCSR_MASK)
		fault_gp(cpu);
	memcpy(cpu->xsave_area, image, FXSAVE_SIZE);
}

static void check_sse(struct cpu *cpu)
{
	if ((cpu->cr0 & CR0_EM) || !(cpu->cr4 & CR4_OSFXSR))
		cpu_fault(cpu, VECTOR_UD);
	if (cpu->cr0 & CR0_TS)
		cpu_fault(cpu, VECTOR_NM);
}

static void load_mxcsr(struct cpu *cpu, const struct op *op)
{
	uint32_t mxcsr = (uint32_t)mem_read(cpu, op->seg, op_ea(cpu, op), 4);
	if (mxcsr & ~MXCSR_MASK)
		fault_gp(cpu);
	memcpy(cpu->xsave_area + AT_MXCSR, &mxcsr, 4);
}

void simd_check_vex(struct cpu *cpu)
{
	if (!(cpu->cr4 & CR4_OSXSAVE) || (~cpu->xcr0 & (SSE | AVX)))
		cpu_fault(cpu, VECTOR_UD);
	if (cpu->cr0 & CR0_TS)
		cpu_fault(cpu, VECTOR_NM);
}

void insn_ldmxcsr(struct cpu *cpu, const struct op *op)
{
	check_sse(cpu);
	load_mxcsr(cpu, op);
}

void insn_vldmxcsr(struct cpu *cpu, const struct op *op)
{
	simd_check_vex(cpu);
	load_mxcsr(cpu, op);
}

void insn_vstmxcsr(struct cpu *cpu, const struct op *op)
{
	simd_check_vex(cpu);
	mem_write(cpu, op->seg, op_ea(cpu, op), 4, mxcsr_of(cpu->xsave_area));
}

void insn_stmxcsr(struct cpu *cpu, const struct op *op)
{
	check_sse(cpu);
	mem_write(cpu, op->seg, op_ea(cpu, op), 4, mxcsr_of(cpu->xsave_area));
}

/* ---- XSAVE family, SDM 1 "Managing State Using the XSAVE Feature Set" ---- */

static void check_xsave(struct cpu *cpu)
{
	if (!(cpu->cr4 & CR4_OSXSAVE))
		cpu_fault(cpu, VECTOR_UD);
	if (cpu->cr0 & CR0_TS)
		cpu_fault(cpu, VECTOR_NM);
}

static uint64_t requested(const struct cpu *cpu, bool supervisor)
{
	uint64_t mask = (uint32_t)cpu->gpr[REG_RAX] | cpu->gpr[REG_RDX] << 32;

	return mask & (cpu->xcr0 | (supervisor ? cpu->msrs.xss : 0));
}

static void save(struct cpu *cpu, const struct op *op, unsigned form)
{
	uint64_t rfbm = requested(cpu, form == SAVE_XSAVES), used = in_use(cpu), written = rfbm;
	uint64_t linear = operand(cpu, op, XSAVE_SIZE, 64, MEM_WRITE), header;
	uint32_t mask = MXCSR_MASK;
	uint8_t image[FXSAVE_SIZE];

	memcpy(image, cpu->xsave_area, FXSAVE_SIZE);
	memcpy(image + AT_MXCSR + 4, &mask, 4);
	if (form != SAVE_XSAVE)
		written &= used; /* the init optimization */
	if (written & X87) {
		copy_out(cpu, linear, image, 0, AT_MXCSR);
		copy_out(cpu, linear, image, AT_ST, AT_XMM);
	}
	/* MXCSR goes with SSE; the compacting forms save it only with a used component. */
	if (form >= SAVE_XSAVEC && mxcsr_of(image) != 0x1f80)
		used |= SSE, written |= rfbm & SSE;
	if (form >= SAVE_XSAVEC ? written & SSE : rfbm & SSE)
		copy_out(cpu, linear, image, AT_MXCSR, AT_ST);
	if (written & SSE)
		copy_out(cpu, linear, image, AT_XMM, xmm_end(cpu));
	header = used & rfbm;
	if (form < SAVE_XSAVEC)
		header |= lin_read(cpu, linear + AT_HEADER, 8, MEM_READ) & ~rfbm;
	else
		lin_write(cpu, linear + AT_HEADER + 8, 8, rfbm | COMPACT, MEM_WRITE);
	lin_write(cpu, linear + AT_HEADER, 8, header, MEM_WRITE);
}

void insn_xsave(struct cpu *cpu, const struct op *op)
{
	check_xsave(cpu);
	save(cpu, op, SAVE_XSAVE);
}

void insn_xsaveopt(struct cpu *cpu, const struct op *op)
{
	check_xsave(cpu);
	save(cpu, op, SAVE_XSAVEOPT);
}

void insn_xsavec(struct cpu *cpu, const struct op *op)
{
	check_xsave(cpu);
	save(cpu, op, SAVE_XSAVEC);
}

void insn_xsaves(struct cpu *cpu, const struct op *op)
{
	check_xsave(cpu);
	if (cpu->cpl)
		fault_gp(cpu);
	vmx_intercept_insn(cpu, EXIT_REASON_XSAVES, 0);
	save(cpu, op, SAVE_XSAVES);
}

/* The header's rules: standard form XCOMP_BV = 0, compacted form bit 63 and a subset; the rest 0.
 */
static bool header_valid(const struct cpu *cpu, const uint64_t header[8], bool supervisor,
			 bool compacted)
{
	uint64_t possible = cpu->xcr0 | (supervisor ? cpu->msrs.xss : 0);

	for (unsigned i = 2; i < 8; i++)
		if (header[i] && (i == 2 || compacted))
			return false;
	if (!compacted)
		return !supervisor && !header[1] && !(header[0] & ~possible);
	return cpu_has(cpu->profile, XSAVEC) && !(header[1] & ~(possible | COMPACT)) &&
	       !(header[0] & ~header[1] & ~COMPACT) && !(header[0] & COMPACT);
}

static void restore(struct cpu *cpu, const struct op *op, bool supervisor)
{
	uint64_t rfbm = requested(cpu, supervisor), header[8], present;
	uint64_t linear = operand(cpu, op, XSAVE_SIZE, 64, MEM_READ);
	const uint32_t mxcsr_init = 0x1f80;
	uint8_t image[FXSAVE_SIZE];
	bool compacted;

	for (unsigned i = 0; i < 8; i++)
		header[i] = lin_read(cpu, linear + AT_HEADER + 8 * i, 8, MEM_READ);
	compacted = header[1] & COMPACT;
	if (!header_valid(cpu, header, supervisor, compacted))
		fault_gp(cpu);
	present = header[0] & rfbm;
	memcpy(image, cpu->xsave_area, FXSAVE_SIZE);
	if (present & X87) {
		copy_in(cpu, linear, image, 0, AT_MXCSR);
		copy_in(cpu, linear, image, AT_ST, AT_XMM);
	} else if (rfbm & X87) {
		init_x87(image);
	}
	/* The standard form loads MXCSR whenever SSE is asked for, the compacted one with the
	 * component. */
	if (compacted ? present & SSE : rfbm & SSE)
		copy_in(cpu, linear, image, AT_MXCSR, AT_MXCSR + 4);
	else if (rfbm & SSE)
		memcpy(image + AT_MXCSR, &mxcsr_init, 4);
	if (mxcsr_of(image) & ~MXCSR_MASK)
		fault_gp(cpu);
	if (present & SSE)
		copy_in(cpu, linear, image, AT_XMM, xmm_end(cpu));
	else if (rfbm & SSE)
		memset(image + AT_XMM, 0, xmm_end(cpu) - AT_XMM);
	memcpy(cpu->xsave_area, image, FXSAVE_SIZE);
}

void insn_xrstor(struct cpu *cpu, const struct op *op)
{
	check_xsave(cpu);
	restore(cpu, op, false);
}

void insn_xrstors(struct cpu *cpu, const struct op *op)
{
	check_xsave(cpu);
	if (cpu->cpl)
		fault_gp(cpu);
	vmx_intercept_insn(cpu, EXIT_REASON_XRSTORS, 0);
	restore(cpu, op, true);
}

/* ---- XCR0 ---- */

void insn_xgetbv(struct cpu *cpu, const struct op *op)
{
	uint32_t index = (uint32_t)cpu->gpr[REG_RCX];
	uint64_t value = cpu->xcr0;

	if (!(cpu->cr4 & CR4_OSXSAVE))
		cpu_fault(cpu, VECTOR_UD);
	if (index > 1 || (index == 1 && !cpu_has(cpu->profile, XGETBV1)))
		fault_gp(cpu);
	if (index == 1)
		value &= in_use(cpu);
	cpu->gpr[REG_RAX] = (uint32_t)value;
	cpu->gpr[REG_RDX] = value >> 32;
}

void insn_xsetbv(struct cpu *cpu, const struct op *op)
{
	uint64_t value = (uint32_t)cpu->gpr[REG_RAX] | cpu->gpr[REG_RDX] << 32;

	if (!(cpu->cr4 & CR4_OSXSAVE))
		cpu_fault(cpu, VECTOR_UD);
	if (cpu->cpl)
		fault_gp(cpu);
	vmx_intercept_insn(cpu, EXIT_REASON_XSETBV, 0);
	if ((uint32_t)cpu->gpr[REG_RCX] != 0 || !(value & X87) || (value & ~(X87 | SSE)))
		fault_gp(cpu);
	cpu->xcr0 = value;
}
