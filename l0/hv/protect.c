/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rights of the hypervisor's own mappings: its code is executable and not writable, its constants
 * neither, everything else (data, stacks, the pool, all of physical memory) is not executable.
 * Needs no-execute pages, and IA32_EFER loaded at VM exits, since the guest has its own.
 */
#include "l0/hv/protect.h"

#include "l0/hv/hv.h"

uint64_t protect_rights(const struct protect_bounds *bounds, uint64_t address)
{
	if (address >= bounds->text && address < bounds->rodata)
		return PTE_P;
	if (address >= bounds->rodata && address < bounds->data)
		return PTE_P | PTE_NX;
	return PTE_P | PTE_W | PTE_NX;
}

void protect_fill(const struct protect_bounds *bounds, uint64_t *table, uint64_t linear,
		  uint64_t hpa)
{
	for (uint64_t i = 0; i < HV_LARGE_PAGE / PAGE_SIZE; i++)
		table[i] = (hpa + i * PAGE_SIZE) |
			   protect_rights(bounds, linear + i * PAGE_SIZE);
}
