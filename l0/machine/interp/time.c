/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Instructions that read the part's counters and random numbers, and the cache-line instructions,
 * of which only the address check is left on a machine without caches.
 */
#include "l0/machine/interp/mmu.h"

#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/perf.h"

static void check_tsd(struct cpu *cpu)
{
	if ((cpu->cr4 & CR4_TSD) && cpu->cpl && cpu_protected(cpu))
		cpu_fault_code(cpu, VECTOR_GP, 0);
}

/* SDM 3C "Changes to Instruction Behavior in VMX Non-Root Operation": RDTSCP and RDPID are
 * undefined unless the control enables them, whatever else holds. */
static void check_rdtscp_enabled(struct cpu *cpu)
{
	if (cpu->vmx->nonroot && !(cpu->vmx->secondary & SECONDARY_ENABLE_RDTSCP))
		cpu_fault(cpu, VECTOR_UD);
}

static void put_edx_eax(struct cpu *cpu, uint64_t value)
{
	cpu->gpr[REG_RAX] = (uint32_t)value;
	cpu->gpr[REG_RDX] = value >> 32;
}

void insn_rdtsc(struct cpu *cpu, const struct op *op)
{
	check_tsd(cpu);
	vmx_intercept_insn(cpu, EXIT_REASON_RDTSC, 0);
	put_edx_eax(cpu, vmx_guest_tsc(cpu, cpu_tsc(cpu)));
}

void insn_rdtscp(struct cpu *cpu, const struct op *op)
{
	check_rdtscp_enabled(cpu);
	check_tsd(cpu);
	vmx_intercept_insn(cpu, EXIT_REASON_RDTSCP, 0);
	put_edx_eax(cpu, vmx_guest_tsc(cpu, cpu_tsc(cpu)));
	cpu->gpr[REG_RCX] = (uint32_t)cpu->msrs.tsc_aux;
}

void insn_rdpid(struct cpu *cpu, const struct op *op)
{
	check_rdtscp_enabled(cpu);
	reg_write(cpu, op, op->rm, cpu_code64(cpu) ? 8 : 4, (uint32_t)cpu->msrs.tsc_aux);
}

void insn_rdpmc(struct cpu *cpu, const struct op *op)
{
	uint64_t value;

	if (!(cpu->cr4 & CR4_PCE) && cpu->cpl && cpu_protected(cpu))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	vmx_intercept_insn(cpu, EXIT_REASON_RDPMC, 0);
	if (!perf_rdpmc(cpu, (uint32_t)cpu->gpr[REG_RCX], &value))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	put_edx_eax(cpu, value);
}

/* Deterministic: a mix of the number of retired instructions and of what was asked for. */
static uint64_t random_number(const struct cpu *cpu, uint64_t salt)
{
	uint64_t x = (cpu_retired(cpu) + salt) * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static void give_random(struct cpu *cpu, const struct op *op, uint64_t salt)
{
	reg_write(cpu, op, op->rm, op->opsize, random_number(cpu, salt));
	cpu_set_rflags(cpu, (cpu_rflags(cpu) & ~RFLAGS_STATUS) | RFLAGS_CF);
}

void insn_rdrand(struct cpu *cpu, const struct op *op)
{
	vmx_intercept_insn(cpu, EXIT_REASON_RDRAND, 0);
	give_random(cpu, op, 0);
}

void insn_rdseed(struct cpu *cpu, const struct op *op)
{
	vmx_intercept_insn(cpu, EXIT_REASON_RDSEED, 0);
	give_random(cpu, op, UINT64_C(1) << 63);
}

/* CLFLUSH, CLFLUSHOPT, CLWB: ordered and checked as a load of one byte. */
void insn_clflush(struct cpu *cpu, const struct op *op)
{
	lin_probe(cpu, seg_linear(cpu, op->seg, op_ea(cpu, op), 1, MEM_READ), 1, MEM_READ);
}
