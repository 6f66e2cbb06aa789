/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Protection keys as software sees them, SDM 3A "Protection Keys": RDPKRU, WRPKRU, IA32_PKRS. What
 * they do to accesses is in paging.c.
 */
#include "l0/machine/interp/keys.h"

#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/sys.h"

static void check_pkru(struct cpu *cpu, uint64_t zero)
{
	if (!(cpu->cr4 & CR4_PKE))
		cpu_fault(cpu, VECTOR_UD);
	if ((uint32_t)zero)
		cpu_fault_code(cpu, VECTOR_GP, 0);
}

void insn_rdpkru(struct cpu *cpu, const struct op *op)
{
	check_pkru(cpu, cpu->gpr[REG_RCX]);
	cpu->gpr[REG_RAX] = cpu->pkru;
	cpu->gpr[REG_RDX] = 0;
}

void insn_wrpkru(struct cpu *cpu, const struct op *op)
{
	check_pkru(cpu, cpu->gpr[REG_RCX] | cpu->gpr[REG_RDX]);
	if (cpu->pkru == (uint32_t)cpu->gpr[REG_RAX])
		return;
	cpu->pkru = (uint32_t)cpu->gpr[REG_RAX];
	mmu_keys_changed(cpu);
}

bool read_pkrs(struct cpu *cpu, uint64_t *value)
{
	*value = cpu->pkrs;
	return true;
}

bool write_pkrs(struct cpu *cpu, uint64_t value)
{
	if (value >> 32)
		return false;
	if (value == cpu->pkrs)
		return true;
	cpu->pkrs = (uint32_t)value;
	mmu_keys_changed(cpu);
	return true;
}
