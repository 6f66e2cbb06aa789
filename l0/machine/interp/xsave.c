/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Saving and restoring extended state: FXSAVE, the XSAVE family, XCR0, MXCSR. The legacy region of
 * an area is cpu->xsave_area as it is; components beyond it are rows of xstate.def, which have a
 * place in struct cpu and one in each format (xstate.h).
 */
#include "l0/machine/interp/mmu.h"

#include <string.h>

#include "l0/machine/interp/cet.h"
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/mpx.h"
#include "l0/machine/interp/profile.h"
#include "l0/machine/interp/pt/pt.h"
#include "l0/machine/interp/simd/simd.h"
#include "l0/machine/interp/sys.h"
#include "l0/machine/interp/x87/x87.h"
#include "l0/machine/interp/xstate.h"

#define X87 XSTATE_X87
#define SSE XSTATE_SSE
#define AVX XSTATE_AVX
#define MXCSR_MASK 0xffffu
#define AT_MXCSR 24
#define AT_ST 32
#define AT_XMM 160
#define XMM_END 416
#define MXCSR_INIT 0x1f80u
#define FXSAVE_SIZE 512
#define SECTION_MAX 256

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
	lin_probe(cpu, linear, 1, access);
	lin_probe(cpu, linear + size - 1, 1, access);
	return linear;
}

/* Bytes start to end of an image, multiples of 4. */
static void copy_out(struct cpu *cpu, uint64_t linear, const uint8_t *from, unsigned start,
		     unsigned end)
{
	for (unsigned i = start, size; i < end; i += size) {
		uint64_t word = 0;

		size = end - i < 8 ? 4 : 8;
		memcpy(&word, from + i, size);
		lin_write(cpu, linear + i, size, word, MEM_WRITE);
	}
}

static void copy_in(struct cpu *cpu, uint64_t linear, uint8_t *to, unsigned start, unsigned end)
{
	for (unsigned i = start, size; i < end; i += size) {
		uint64_t word;

		size = end - i < 8 ? 4 : 8;
		word = lin_read(cpu, linear + i, size, MEM_READ);
		memcpy(to + i, &word, size);
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
	x87_image_out(cpu, image, op->opsize == 8);
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
	x87_image_loaded(cpu, op->opsize == 8);
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

static unsigned section_size(const struct cpu *cpu, const struct xstate *x)
{
	return cpu_code64(cpu) ? x->size : x->narrow;
}

static void save_legacy(struct cpu *cpu, const struct op *op, uint64_t linear, uint64_t saved,
			bool mxcsr)
{
	uint32_t mask = MXCSR_MASK;
	uint8_t image[FXSAVE_SIZE];

	memcpy(image, cpu->xsave_area, FXSAVE_SIZE);
	memcpy(image + AT_MXCSR + 4, &mask, 4);
	x87_image_out(cpu, image, op->opsize == 8);
	if (saved & X87) {
		copy_out(cpu, linear, image, 0, AT_MXCSR);
		copy_out(cpu, linear, image, AT_ST, AT_XMM);
	}
	if (mxcsr)
		copy_out(cpu, linear, image, AT_MXCSR, AT_ST);
	if (saved & SSE)
		copy_out(cpu, linear, image, AT_XMM, xmm_end(cpu));
}

static void save_extended(struct cpu *cpu, uint64_t linear, uint64_t saved, uint64_t xcomp_bv)
{
	for (unsigned i = 0; i < XSTATE_COUNT; i++) {
		const struct xstate *x = &xstates[i];
		uint8_t section[SECTION_MAX] = {0};

		if (!(saved >> x->bit & 1))
			continue;
		memcpy(section, (const uint8_t *)cpu + x->at, x->stored);
		copy_out(cpu, linear + xstate_offset(i, xcomp_bv), section, 0,
			 section_size(cpu, x));
	}
}

/* SDM 1 "Operation of XSAVE", "Operation of XSAVEOPT": MXCSR goes with SSE or AVX, in use or not.
 */
static void save_standard(struct cpu *cpu, const struct op *op, bool optimize)
{
	uint64_t rfbm = requested(cpu, false), used = xstate_in_use(cpu), old;
	uint64_t linear = operand(cpu, op, xstate_size(rfbm, false), 64, MEM_WRITE);
	uint64_t saved = optimize ? rfbm & used : rfbm;

	save_legacy(cpu, op, linear, saved, rfbm & (SSE | AVX));
	save_extended(cpu, linear, saved, 0);
	old = lin_read(cpu, linear + XSTATE_HEADER, 8, MEM_READ);
	lin_write(cpu, linear + XSTATE_HEADER, 8, (old & ~rfbm) | (used & rfbm), MEM_WRITE);
}

/* SDM 1 "PT State": tracing ends once IA32_RTIT_CTL is saved, and before anything else of it is. */
static void save_trace(struct cpu *cpu, uint64_t linear, uint64_t saved, uint64_t xcomp_bv)
{
	uint64_t ctl = saved & XSTATE_PT ? pt_disable(cpu) : 0;

	save_extended(cpu, linear, saved, xcomp_bv);
	if (saved & XSTATE_PT)
		lin_write(cpu, linear + xstate_offset(XSTATE_INDEX_PT, xcomp_bv), 8, ctl,
			  MEM_WRITE);
}

/* SDM 1 "Operation of XSAVEC", "Operation of XSAVES": MXCSR is part of SSE, and alone makes it in
 * use. */
static void save_compacted(struct cpu *cpu, const struct op *op, bool supervisor)
{
	uint64_t rfbm = requested(cpu, supervisor), saved = rfbm & xstate_in_use(cpu);
	uint64_t linear = operand(cpu, op, xstate_size(rfbm, true), 64, MEM_WRITE);

	if (mxcsr_of(cpu->xsave_area) != MXCSR_INIT)
		saved |= rfbm & SSE;
	save_legacy(cpu, op, linear, saved, saved & SSE);
	save_trace(cpu, linear, saved, rfbm | XSTATE_COMPACT);
	lin_write(cpu, linear + XSTATE_HEADER, 8, saved, MEM_WRITE);
	lin_write(cpu, linear + XSTATE_HEADER + 8, 8, rfbm | XSTATE_COMPACT, MEM_WRITE);
}

void insn_xsave(struct cpu *cpu, const struct op *op)
{
	check_xsave(cpu);
	save_standard(cpu, op, false);
}

void insn_xsaveopt(struct cpu *cpu, const struct op *op)
{
	check_xsave(cpu);
	save_standard(cpu, op, true);
}

void insn_xsavec(struct cpu *cpu, const struct op *op)
{
	check_xsave(cpu);
	save_compacted(cpu, op, false);
}

/* SDM 3C "Changes to Instruction Behavior in VMX Non-Root Operation": undefined unless the control
 * enables them, whatever else holds. */
static void check_supervisor(struct cpu *cpu)
{
	if (cpu->vmx->nonroot && !(cpu->vmx->secondary & SECONDARY_ENABLE_XSAVES))
		cpu_fault(cpu, VECTOR_UD);
	check_xsave(cpu);
	if (cpu->cpl)
		fault_gp(cpu);
}

void insn_xsaves(struct cpu *cpu, const struct op *op)
{
	check_supervisor(cpu);
	vmx_intercept_insn(cpu, EXIT_REASON_XSAVES, 0);
	save_compacted(cpu, op, true);
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
	return cpu_has(cpu->profile, XSAVEC) && !(header[1] & ~(possible | XSTATE_COMPACT)) &&
	       !(header[0] & ~header[1]) && !(header[0] & XSTATE_COMPACT);
}

/* What a restore has read, before any of it counts. */
struct restored {
	uint64_t rfbm, present, xcomp_bv;
	uint8_t legacy[FXSAVE_SIZE];
	uint8_t section[XSTATE_COUNT][SECTION_MAX]; /* zeros: the initial configuration */
};

static void read_header(struct cpu *cpu, uint64_t linear, bool supervisor, struct restored *r)
{
	uint64_t header[8];

	for (unsigned i = 0; i < 8; i++)
		header[i] = lin_read(cpu, linear + XSTATE_HEADER + 8 * i, 8, MEM_READ);
	if (!header_valid(cpu, header, supervisor, header[1] & XSTATE_COMPACT))
		fault_gp(cpu);
	r->present = header[0] & r->rfbm;
	r->xcomp_bv = header[1];
}

/* SDM 1 "Operation of XRSTOR": the standard form loads MXCSR whenever SSE or AVX is asked for, the
 * compacted one with SSE. */
static void restore_mxcsr(struct cpu *cpu, uint64_t linear, struct restored *r)
{
	const uint32_t init = MXCSR_INIT;
	bool compacted = r->xcomp_bv & XSTATE_COMPACT;

	if (compacted ? r->present & SSE : r->rfbm & (SSE | AVX))
		copy_in(cpu, linear, r->legacy, AT_MXCSR, AT_MXCSR + 4);
	else if (r->rfbm & SSE)
		memcpy(r->legacy + AT_MXCSR, &init, 4);
	if (mxcsr_of(r->legacy) & ~MXCSR_MASK)
		fault_gp(cpu);
}

static void restore_legacy(struct cpu *cpu, uint64_t linear, struct restored *r)
{
	memcpy(r->legacy, cpu->xsave_area, FXSAVE_SIZE);
	if (r->present & X87) {
		copy_in(cpu, linear, r->legacy, 0, AT_MXCSR);
		copy_in(cpu, linear, r->legacy, AT_ST, AT_XMM);
	} else if (r->rfbm & X87) {
		init_x87(r->legacy);
	}
	restore_mxcsr(cpu, linear, r);
	if (r->present & SSE)
		copy_in(cpu, linear, r->legacy, AT_XMM, xmm_end(cpu));
	else if (r->rfbm & SSE)
		memset(r->legacy + AT_XMM, 0, xmm_end(cpu) - AT_XMM);
}

static void restore_extended(struct cpu *cpu, uint64_t linear, struct restored *r)
{
	for (unsigned i = 0; i < XSTATE_COUNT; i++)
		if (r->present >> xstates[i].bit & 1)
			copy_in(cpu, linear + xstate_offset(i, r->xcomp_bv), r->section[i], 0,
				section_size(cpu, &xstates[i]));
}

/* CET state goes to MSRs, and is checked as WRMSR would: SDM 2 "XRSTORS". */
static void check_cet(struct cpu *cpu, const struct restored *r)
{
	uint64_t user[2], supervisor[3];

	memcpy(user, r->section[XSTATE_INDEX_CET_U], sizeof(user));
	memcpy(supervisor, r->section[XSTATE_INDEX_CET_S], sizeof(supervisor));
	if ((r->present & XSTATE_CET_U && !cet_user_state_valid(cpu, user)) ||
	    (r->present & XSTATE_CET_S && !cet_supervisor_state_valid(cpu, supervisor)))
		fault_gp(cpu);
}

static void check_pt(struct cpu *cpu, const struct restored *r)
{
	uint64_t state[9];

	memcpy(state, r->section[XSTATE_INDEX_PT], sizeof(state));
	if ((r->rfbm & XSTATE_PT) && !pt_state_valid(cpu, state))
		fault_gp(cpu);
}

/* Registers that do not exist outside 64-bit mode keep their values. */
static void commit(struct cpu *cpu, const struct op *op, const struct restored *r)
{
	uint32_t pkru = cpu->pkru;

	memcpy(cpu->xsave_area, r->legacy, FXSAVE_SIZE);
	if (r->rfbm & X87)
		x87_image_loaded(cpu, op->opsize == 8);
	for (unsigned i = 0; i < XSTATE_COUNT; i++) {
		unsigned size = section_size(cpu, &xstates[i]);

		if (r->rfbm >> xstates[i].bit & 1)
			memcpy((uint8_t *)cpu + xstates[i].at, r->section[i],
			       size < xstates[i].stored ? size : xstates[i].stored);
	}
	if (cpu->pkru != pkru)
		mmu_keys_changed(cpu);
	if (r->rfbm & XSTATE_PT)
		pt_restored(cpu);
	if (r->rfbm & XSTATE_MPX)
		mpx_restored(cpu);
}

static void restore(struct cpu *cpu, const struct op *op, bool supervisor)
{
	struct restored r = {.rfbm = requested(cpu, supervisor)};
	uint64_t linear = operand(cpu, op, XSTATE_EXTENDED, 64, MEM_READ);

	read_header(cpu, linear, supervisor, &r);
	operand(cpu, op,
		r.xcomp_bv & XSTATE_COMPACT ? xstate_size(r.xcomp_bv, true)
					    : xstate_size(r.present, false),
		64, MEM_READ);
	restore_legacy(cpu, linear, &r);
	restore_extended(cpu, linear, &r);
	check_cet(cpu, &r);
	check_pt(cpu, &r);
	commit(cpu, op, &r);
}

void insn_xrstor(struct cpu *cpu, const struct op *op)
{
	check_xsave(cpu);
	restore(cpu, op, false);
}

void insn_xrstors(struct cpu *cpu, const struct op *op)
{
	check_supervisor(cpu);
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
		cpu_fault_code(cpu, VECTOR_GP, 0);
	if (index == 1)
		value &= xstate_in_use(cpu);
	cpu->gpr[REG_RAX] = (uint32_t)value;
	cpu->gpr[REG_RDX] = value >> 32;
}

/* SDM 2 "XSETBV": x87 always, AVX only with SSE, both components of MPX or none. */
static bool xcr0_valid(const struct cpu *cpu, uint64_t value)
{
	uint64_t mpx = value & XSTATE_MPX;

	return (value & XSTATE_X87) && !(value & ~xstate_valid(cpu->profile, false)) &&
	       (!(value & XSTATE_AVX) || (value & XSTATE_SSE)) && (!mpx || mpx == XSTATE_MPX);
}

void insn_xsetbv(struct cpu *cpu, const struct op *op)
{
	uint64_t value = (uint32_t)cpu->gpr[REG_RAX] | cpu->gpr[REG_RDX] << 32;

	if (!(cpu->cr4 & CR4_OSXSAVE))
		cpu_fault(cpu, VECTOR_UD);
	if (cpu->cpl)
		cpu_fault_code(cpu, VECTOR_GP, 0);
	vmx_intercept_insn(cpu, EXIT_REASON_XSETBV, 0);
	if ((uint32_t)cpu->gpr[REG_RCX] != 0 || !xcr0_valid(cpu, value))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	cpu->xcr0 = value;
	cpu_mode_recheck(cpu);
}
