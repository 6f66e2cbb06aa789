/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The walk of EPT12. SDM 3C "The Extended Page Table Mechanism (EPT)": four or five levels of 512
 * entries,
 *
 *   56:48 PML5E | 47:39 PML4E | 38:30 PDPTE (may map 1 GB) | 29:21 PDE (may map 2 MB) | 20:12 PTE
 *
 * with the misconfigurations of "EPT Misconfigurations". Where L1's tables point at no memory,
 * loads give all ones, which is a misconfiguration.
 */
#include "shadow/ept12.h"

#include <string.h>

#include "shadow/sdm/msr.h"

/* The EPTP has been checked. */
static unsigned levels_of(uint64_t eptp12)
{
	return (eptp12 & EPTP_WALK) == EPTP_WALK_5 ? 5 : 4;
}

static uint64_t *entry_pointer(struct shadow_vcpu *v, uint64_t table, struct l2_gpa gpa,
			       unsigned level)
{
	uint64_t index = gpa.value >> (PAGE_SHIFT + 9 * level) & 511;

	return v->env->pointer(v->env, (struct l1_gpa){table + index * 8}, 8);
}

static bool is_present(uint64_t entry, bool mbec)
{
	return entry & (mbec ? EPT_RWX | EPT_XU : EPT_RWX);
}

static bool is_leaf(uint64_t entry, unsigned level)
{
	return level == 0 || (level < 3 && (entry & EPT_PS)); /* PML4E, PML5E: a reserved bit */
}

static bool large_page_is_offered(const struct shadow_vcpu *v, unsigned level)
{
	uint64_t cap = vmx_cap(&v->caps, EPT_VPID_CAP);

	return level == 0 || (level == 1 && (cap & EPT_CAP_2M)) ||
	       (level == 2 && (cap & EPT_CAP_1G));
}

/* Address bits that must be 0: above the width, and below the size of a large page. */
static bool address_is_reserved(const struct shadow_vcpu *v, uint64_t entry, unsigned level,
				bool leaf)
{
	uint64_t above = EPT_ADDRESS & ~(BIT64(v->caps.maxphyaddr) - 1);
	uint64_t below = leaf ? (BIT64(PAGE_SHIFT + 9 * level) - 1) & EPT_ADDRESS : 0;

	return entry & (above | below);
}

static bool is_misconfigured(const struct shadow_vcpu *v, uint64_t entry, unsigned level, bool mbec)
{
	bool leaf = is_leaf(entry, level);
	uint64_t type = (entry & EPT_MT) >> EPT_MT_SHIFT;

	if (!(entry & EPT_R)) {
		if (entry & EPT_W)
			return true;
		if (!(vmx_cap(&v->caps, EPT_VPID_CAP) & EPT_CAP_EXECUTE_ONLY))
			return true;
	}
	if (address_is_reserved(v, entry, level, leaf))
		return true;
	if (!leaf)
		return entry & (level >= 3 ? UINT64_C(0xf8) : UINT64_C(0x78));
	return !large_page_is_offered(v, level) || type == 2 || type == 3 || type == 7;
}

struct ept12_walk ept12_walk(struct shadow_vcpu *v, uint64_t eptp12, struct l2_gpa gpa, bool mbec)
{
	struct ept12_walk w = {.rights = EPT_RWX | EPT_XU, .outcome = EPT12_VIOLATION};
	uint64_t table = eptp12 & EPT_ADDRESS, above = UINT64_MAX;

	if (gpa.value >> (PAGE_SHIFT + 9 * levels_of(eptp12)))
		return (struct ept12_walk){.outcome = EPT12_VIOLATION};
	for (unsigned level = levels_of(eptp12); level-- > 0;) {
		const uint64_t *p = entry_pointer(v, table, gpa, level);
		uint64_t entry = p ? *p : UINT64_MAX;
		uint64_t mask = BIT64(PAGE_SHIFT + 9 * level) - 1;

		w.suppress_ve = entry & EPT_SUPPRESS_VE;
		if (!is_present(entry, mbec)) {
			w.rights = 0;
			return w;
		}
		if (is_misconfigured(v, entry, level, mbec)) {
			w.outcome = EPT12_MISCONFIGURATION;
			return w;
		}
		w.rights &= entry;
		if (!is_leaf(entry, level)) {
			table = entry & EPT_ADDRESS;
			above &= entry;
			continue;
		}
		/* SDM 3C "EPT Violations": a supervisor shadow stack */
		if ((above & EPT_W) && (w.rights & EPT_R) && (entry & EPT_SSS))
			w.rights |= EPT_SSS;
		w.outcome = EPT12_OK;
		w.gpa.value = (entry & EPT_ADDRESS & ~mask) | (gpa.value & mask);
		w.leaf = p;
		w.size = mask + 1;
		w.type = entry & (EPT_MT | EPT_IPAT);
		w.clean = (eptp12 & EPTP_AD) && !(entry & EPT_D);
		return w;
	}
	return w; /* not reached: level 0 is a leaf */
}

void ept12_mark(struct shadow_vcpu *v, uint64_t eptp12, struct l2_gpa gpa, bool write)
{
	uint64_t table = eptp12 & EPT_ADDRESS;

	for (unsigned level = levels_of(eptp12); level-- > 0;) {
		uint64_t *p = entry_pointer(v, table, gpa, level);
		bool leaf;

		if (!p)
			return;
		leaf = is_leaf(*p, level);
		*p |= EPT_A | (leaf && write ? EPT_D : 0);
		if (leaf)
			return;
		table = *p & EPT_ADDRESS;
	}
}
