/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Guest-physical to host-physical: the walk of the EPT paging structures, SDM 3C "The Extended Page
 * Table Mechanism (EPT)": misconfigurations, violations and their qualification, accessed and dirty
 * flags, page-modification logging. The outcome is a value; nothing here makes a VM exit but PML's
 * full log (vmx_log_dirty). Guest-physical mappings are cached, and dropped by INVEPT and by
 * violations only, as SDM 3C "Operations that Invalidate Cached Mappings" has it.
 */
#include "l0/machine/interp/tlb.h"

#include "l0/machine/interp/profile.h"

struct ept_step {
	uint64_t hpa;
	uint64_t entry;
};

static bool has_feature(const struct cpu *cpu, enum vmx_feature feature)
{
	return vmx_features_have(cpu->profile->caps.features, feature);
}

static bool mbec(const struct cpu *cpu)
{
	return cpu->vmx->secondary & SECONDARY_MODE_BASED_EXECUTE;
}

static bool is_leaf(const struct cpu *cpu, unsigned level, uint64_t entry)
{
	if (level == 1)
		return true;
	if (!(entry & EPT_PS) || level >= 4)
		return false;
	return level == 3 ? has_feature(cpu, VMX_FEATURE_EPT_1G)
			  : has_feature(cpu, VMX_FEATURE_EPT_2M);
}

/* SDM 3C "EPT Misconfigurations". The entry is present. */
static bool misconfigured(const struct cpu *cpu, unsigned level, uint64_t entry)
{
	uint64_t executable = EPT_X | (mbec(cpu) ? EPT_XU : 0);
	unsigned width = cpu->profile->caps.maxphyaddr;
	unsigned type = (unsigned)(entry >> EPT_MT_SHIFT & 7);

	if ((entry & (EPT_R | EPT_W)) == EPT_W)
		return true;
	if (!(entry & EPT_R) && (entry & executable) &&
	    !has_feature(cpu, VMX_FEATURE_EPT_EXECUTE_ONLY))
		return true;
	if (entry & EPT_ADDRESS & ~(BIT64(width) - 1))
		return true;
	if (!is_leaf(cpu, level, entry))
		return entry & (EPT_MT | EPT_IPAT | EPT_PS);
	if (level > 1 && (entry & EPT_ADDRESS & (BIT64(12 + 9 * (level - 1)) - 1)))
		return true;
	return type == 2 || type == 3 || type == 7;
}

static bool fail(struct walk *walk, enum walk_outcome outcome, uint64_t gpa, uint64_t qualification)
{
	walk->outcome = outcome;
	walk->gpa = gpa;
	walk->qualification = qualification;
	return false;
}

static bool violation(struct cpu *cpu, struct walk *walk, uint64_t gpa,
		      const struct ept_access *access, uint64_t rights, uint64_t entry)
{
	uint64_t qualification = access->qualification;

	if (rights & EPT_R)
		qualification |= EPT_QUAL_ENTRY_R;
	if (rights & EPT_W)
		qualification |= EPT_QUAL_ENTRY_W;
	if (rights & EPT_X)
		qualification |= EPT_QUAL_ENTRY_X;
	if (mbec(cpu) && (rights & EPT_XU))
		qualification |= EPT_QUAL_ENTRY_XU;
	if (rights && (cpu->vmx->eptp & EPTP_SSS) && (entry & EPT_SSS))
		qualification |= EPT_QUAL_SSS;
	if (!(entry & EPT_SUPPRESS_VE))
		qualification |= VMX_EPT_CONVERTIBLE;
	return fail(walk, WALK_EPT_VIOLATION, gpa, qualification);
}

static inline bool allowed(const struct cpu *cpu, const struct ept_access *access, uint64_t rights)
{
	uint64_t execute = mbec(cpu) && access->user_page ? EPT_XU : EPT_X;

	if (access->supervisor_shadow_stack && (cpu->vmx->eptp & EPTP_SSS))
		return rights & EPT_SSS;
	return (!(access->qualification & EPT_QUAL_READ) || (rights & EPT_R)) &&
	       (!(access->qualification & EPT_QUAL_WRITE) || (rights & EPT_W)) &&
	       (!(access->qualification & EPT_QUAL_FETCH) || (rights & execute));
}

/* SDM 3C "Accessed and Dirty Flags for EPT" and "Page-Modification Logging". */
static void set_flags(struct cpu *cpu, uint64_t gpa, bool write, struct ept_step *step,
		      unsigned steps)
{
	for (unsigned i = 0; i < steps; i++) {
		uint64_t flags = EPT_A;

		if (i == steps - 1 && write) {
			flags |= EPT_D;
			if (!(step[i].entry & EPT_D))
				vmx_log_dirty(cpu, gpa);
		}
		if ((step[i].entry & flags) == flags)
			continue;
		step[i].entry |= flags;
		phys_write(cpu, step[i].hpa, 8, step[i].entry);
	}
}

/* A cached mapping that allows the access; writes only where no dirty flag is left to set. */
static inline bool cached(struct cpu *cpu, uint64_t gpa, const struct ept_access *access,
		   struct ept_leaf *leaf)
{
	const struct gpa_entry *entry = ept_cached(cpu->mmu.spaces, gpa);

	if (!entry || !allowed(cpu, access, entry->leaf.rights) ||
	    ((access->qualification & EPT_QUAL_WRITE) && !entry->leaf.dirty))
		return false;
	*leaf = entry->leaf;
	leaf->hpa |= PAGE_OFFSET(gpa);
	return true;
}

static void remember(struct cpu *cpu, uint64_t gpa, const struct ept_leaf *leaf)
{
	struct mmu_spaces *s = cpu->mmu.spaces;
	struct gpa_entry *entry = gpa_slot(s, gpa);

	*entry = (struct gpa_entry){.gpa = PAGE_BASE(gpa), .id = s->ept_id, .leaf = *leaf};
	entry->leaf.hpa = PAGE_BASE(leaf->hpa);
}

/* SDM 3C "EPT Violations": a supervisor shadow stack is readable, and writable but for its leaf,
 * which says so. EPT_SSS in the rights of a page stands for all that. */
static uint64_t page_rights(uint64_t above, uint64_t rights, uint64_t leaf)
{
	bool shadow_stack = (above & EPT_W) && (rights & EPT_R) && (leaf & EPT_SSS);

	return shadow_stack ? rights | EPT_SSS : rights & ~EPT_SSS;
}

static bool walk_ept(struct cpu *cpu, uint64_t gpa, const struct ept_access *access,
		     struct walk *walk, struct ept_leaf *leaf)
{
	uint64_t eptp = cpu->vmx->eptp, table = eptp & EPT_ADDRESS, rights = UINT64_MAX, entry = 0;
	uint64_t present = EPT_RWX | (mbec(cpu) ? EPT_XU : 0), above = UINT64_MAX;
	struct ept_step step[5];
	unsigned steps = 0, level, shift;

	for (level = (unsigned)((eptp & EPTP_WALK) >> EPTP_WALK_SHIFT) + 1;; level--) {
		shift = 12 + 9 * (level - 1);
		step[steps].hpa = table + (gpa >> shift & 0x1ff) * 8;
		entry = step[steps].entry = phys_read64(cpu, step[steps].hpa);
		steps++;
		walk->references++;
		rights &= entry;
		if (!(entry & present))
			return violation(cpu, walk, gpa, access, 0, entry);
		if (misconfigured(cpu, level, entry))
			return fail(walk, WALK_EPT_MISCONFIGURATION, gpa, 0);
		if (is_leaf(cpu, level, entry))
			break;
		table = entry & EPT_ADDRESS;
		above &= entry;
	}
	rights = page_rights(above, rights, entry);
	if (!allowed(cpu, access, rights))
		return violation(cpu, walk, gpa, access, rights, entry);
	if (eptp & EPTP_AD)
		set_flags(cpu, gpa, access->qualification & EPT_QUAL_WRITE, step, steps);
	leaf->hpa = (entry & EPT_ADDRESS & ~(BIT64(shift) - 1)) | (gpa & (BIT64(shift) - 1));
	leaf->rights = rights;
	leaf->dirty = !(eptp & EPTP_AD) || (step[steps - 1].entry & EPT_D);
	return true;
}

bool ept_translate(struct cpu *cpu, uint64_t gpa, const struct ept_access *access,
		   struct walk *walk, struct ept_leaf *leaf)
{
	if (cached(cpu, gpa, access, leaf))
		return true;
	if (!walk_ept(cpu, gpa, access, walk, leaf)) {
		gpa_slot(cpu->mmu.spaces, gpa)->id = 0;
		return false;
	}
	remember(cpu, gpa, leaf);
	return true;
}
