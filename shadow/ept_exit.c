/* SPDX-License-Identifier: BSD-2-Clause
 *
 * EPT violations and misconfigurations of L2. EPT02 is a cache of EPT12 after EPT01, so most of
 * them are misses that L0 fills; the others are L1's, as EPT12 says, or L0's, as EPT01 says. Here
 * L0 also does by software what L1 may ask of EPT: dirty flags, PML, #VE.
 */
#include "shadow/dirty.h"
#include "shadow/ept02.h"
#include "shadow/merge.h"
#include "shadow/route.h"
#include "shadow/ve.h"

#define RIGHTS (EPT_RWX | EPT_XU)

static bool uses_mbec(const struct shadow_slot *slot)
{
	return slot_secondary(slot) & SECONDARY_MODE_BASED_EXECUTE;
}

/* The rights an access needs. With mode-based execute control a fetch needs X or XU by the mode of
 * the linear address, which only advanced information tells; without it, take what the entry lacks.
 */
static uint64_t needed_rights(const struct l2_exit *x, uint64_t q)
{
	uint64_t need = 0;

	if ((q & EPT_QUAL_SHADOW_STACK) && !(q & EPT_QUAL_USER) &&
	    (vmcs_get(&x->slot->v12, EPT_POINTER) & EPTP_SSS))
		return EPT_SSS;
	if (q & EPT_QUAL_READ)
		need |= EPT_R;
	if (q & EPT_QUAL_WRITE)
		need |= EPT_W;
	if (!(q & EPT_QUAL_FETCH))
		return need;
	if (!uses_mbec(x->slot))
		return need | EPT_X;
	if (vmx_features_have(x->v->l0.hw->features, VMX_FEATURE_EPT_ADVANCED_INFO))
		return need | ((q & EPT_QUAL_USER) ? EPT_XU : EPT_X);
	return need | ((q & EPT_QUAL_ENTRY_X) ? 0 : EPT_X) | ((q & EPT_QUAL_ENTRY_XU) ? 0 : EPT_XU);
}

/* SDM 3C "Exit Qualification for EPT Violations": bits 6:3 are the rights EPT12 gives. */
static uint64_t qualification12(const struct l2_exit *x, const struct ept12_walk *w, uint64_t q)
{
	const uint64_t entry =
	    EPT_QUAL_ENTRY_R | EPT_QUAL_ENTRY_W | EPT_QUAL_ENTRY_X | EPT_QUAL_ENTRY_XU;

	q &= ~entry;
	q |= (w->rights & EPT_RWX) << 3;
	if (uses_mbec(x->slot) && (w->rights & EPT_XU))
		q |= EPT_QUAL_ENTRY_XU;
	if (!(w->rights & EPT_SSS))
		q &= ~EPT_QUAL_SSS;
	return q;
}

static enum route violation12(struct l2_exit *x, const struct ept12_walk *w, uint64_t gpa,
			      uint64_t q)
{
	x->as.reason = EXIT_REASON_EPT_VIOLATION;
	x->as.given = GIVEN_QUALIFICATION;
	x->as.qualification = qualification12(x, w, q);
	return ve_convert(x, w, (struct l2_gpa){gpa});
}

static enum route misconfiguration12(struct l2_exit *x)
{
	x->as.reason = EXIT_REASON_EPT_MISCONFIGURATION;
	x->as.given = GIVEN_QUALIFICATION; /* none: the hardware's may be a violation's */
	x->as.qualification = 0;
	return ROUTE_L1;
}

/* SDM 3C "Page-Modification Logging": the log entry comes before the dirty flag; a full log exits.
 */
static enum route log_dirty(struct l2_exit *x, uint64_t gpa, uint64_t q)
{
	uint64_t index = vmcs_get(&x->slot->v12, PML_INDEX);
	uint64_t *entry;

	if (!(slot_secondary(x->slot) & SECONDARY_ENABLE_PML))
		return ROUTE_DONE;
	if (index > 511) {
		x->as.reason = EXIT_REASON_PML_FULL;
		x->as.given = GIVEN_QUALIFICATION;
		x->as.qualification = q & EPT_QUAL_NMI_UNBLOCKING;
		return ROUTE_L1;
	}
	entry = x->v->env->pointer(
	    x->v->env, (struct l1_gpa){vmcs_get(&x->slot->v12, PML_ADDRESS) + 8 * index}, 8);
	if (entry)
		*entry = PAGE_BASE(gpa);
	vmcs_set(&x->slot->v12, PML_INDEX, (index - 1) & 0xffff);
	return ROUTE_DONE;
}

/* Accessed and dirty flags of EPT12, if L1 enabled them. */
static enum route mark12(struct l2_exit *x, const struct ept12_walk *w, uint64_t gpa, uint64_t q)
{
	uint64_t eptp12 = vmcs_get(&x->slot->v12, EPT_POINTER);
	bool write = q & EPT_QUAL_WRITE;
	enum route route = ROUTE_DONE;

	if (!(eptp12 & EPTP_AD))
		return ROUTE_DONE;
	if (write && w->clean)
		route = log_dirty(x, gpa, q);
	if (route == ROUTE_DONE)
		ept12_mark(x->v, eptp12, (struct l2_gpa){gpa}, write);
	return route;
}

/* EPT01's memory type wins where it says uncacheable: there is a device behind. */
static uint64_t leaf_of(const struct l2_exit *x, const struct ept12_walk *w,
			const struct shadow_mapping *m, bool write)
{
	uint64_t rights = w->rights & m->rights & EPT_RWX;
	uint64_t type = (m->type & EPT_MT) == EPT_MT_UC ? m->type : w->type;

	if (uses_mbec(x->slot) && (m->rights & EPT_X))
		rights |= w->rights & EPT_XU;
	if ((w->rights & EPT_SSS) && (m->rights & EPT_W))
		rights |= EPT_SSS;
	if (w->clean && !write)
		rights &= ~(EPT_W | EPT_SSS); /* the first write comes back here to set the dirty flag */
	return rights | type;
}

static bool l0_allows(const struct l2_exit *x, const struct shadow_mapping *m, uint64_t need)
{
	uint64_t rights = m->rights & EPT_RWX;

	if (need & EPT_SSS)
		need = EPT_R | EPT_W;
	return !((need & ~EPT_XU) & ~rights) && (!(need & EPT_XU) || (rights & EPT_X));
}

/* Reinstates what the exit took away: SDM 3C "Exit Qualification for EPT Violations", bit 12, "NMI
 * unblocking due to IRET". */
static void restore_nmi_blocking(struct shadow_vcpu *v, uint64_t q)
{
	struct shadow_env *env = v->env;

	if (!(q & EPT_QUAL_NMI_UNBLOCKING))
		return;
	if (env->vmcs_read(env, VMCS_IDT_VECTORING_INFO) & INTR_INFO_VALID)
		return;
	env->vmcs_write(env, VMCS_GUEST_INTERRUPTIBILITY_STATE,
			env->vmcs_read(env, VMCS_GUEST_INTERRUPTIBILITY_STATE) |
			    INTERRUPTIBILITY_NMI);
}

static enum route fill(struct l2_exit *x, const struct ept12_walk *w, uint64_t gpa, uint64_t q,
		       uint64_t need)
{
	struct shadow_vcpu *v = x->v;
	uint64_t eptp12 = vmcs_get(&x->slot->v12, EPT_POINTER);
	struct shadow_mapping m;
	enum route route;
	uint64_t size, leaf;

	v->fault_gpa = w->gpa;
	if (!v->env->translate(v->env, w->gpa, &m) || !l0_allows(x, &m, need))
		return ROUTE_L0;
	route = mark12(x, w, gpa, q);
	if (route != ROUTE_DONE)
		return route;
	size = m.size < w->size ? m.size : w->size;
	leaf = leaf_of(x, w, &m, q & EPT_QUAL_WRITE);
	if (leaf & EPT_W)
		dirty_note(v, x->slot, w, (struct l2_gpa){gpa});
	if (!ept02_map(v, eptp12, (struct l2_gpa){gpa}, m.hpa, size, leaf)) {
		v->dead = "L0's page pool is too small for EPT02";
		return ROUTE_DONE;
	}
	restore_nmi_blocking(v, q);
	return ROUTE_DONE;
}

enum route first_ept_violation(struct l2_exit *x)
{
	struct shadow_env *env = x->v->env;
	uint64_t gpa = env->vmcs_read(env, VMCS_GUEST_PHYSICAL_ADDRESS);
	bool misconfigured = x->as.reason == EXIT_REASON_EPT_MISCONFIGURATION;
	uint64_t q = misconfigured ? 0 : env->vmcs_read(env, VMCS_EXIT_QUALIFICATION);
	struct ept12_walk w;
	uint64_t need;

	x->v->fault_gpa.value = gpa; /* without EPT12, L2's physical memory is L1's */
	if (!slot_has_ept12(x->slot))
		return ROUTE_L0;
	w = ept12_walk(x->v, vmcs_get(&x->slot->v12, EPT_POINTER), (struct l2_gpa){gpa},
		       uses_mbec(x->slot));
	need = needed_rights(x, q);
	if (w.outcome == EPT12_MISCONFIGURATION)
		return misconfiguration12(x);
	if (w.outcome == EPT12_VIOLATION || (need & ~w.rights))
		return violation12(x, &w, gpa, q);
	if (need & EPT_SSS)
		q |= EPT_QUAL_WRITE; /* EPT02 has no right to read only */
	return fill(x, &w, gpa, q, need);
}
