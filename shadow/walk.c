/* SPDX-License-Identifier: BSD-2-Clause
 *
 * L1's paging in all modes: none, 32-bit, PAE, 4-level and 5-level; or L2's, over EPT12, while L2
 * runs. Supervisor data accesses only, since VMX instructions need CPL 0. Protection keys are not
 * looked at (PKRU is not L0's to read).
 * Rules: SDM 3A "Hierarchical Paging Structures: an Overview", "Determination of Access Rights".
 */
#include "shadow/walk.h"

#include <string.h>

#include "shadow/ept12.h"
#include "shadow/merge.h"
#include "shadow/vcpu.h"

/* How a paging mode indexes: levels from the root, index bits a level, entry size. */
struct paging_mode {
	uint8_t levels, index_bits, entry_size;
};

struct l1_walk {
	struct shadow_vcpu *v;
	uint64_t cr0, cr3, cr4;
	bool write;
	bool long_mode;
	const struct shadow_slot *over; /* L2's walk: whose EPT12 lies beneath it; else NULL */
	bool refused;			/* EPT12 does not allow an access */
	/* What the walk has come by, for 8-byte entries. */
	struct shadow_walk_note trail;
	bool depends; /* on more than the registers above and EFER */
};

static void walk_begin(struct l1_walk *w, struct shadow_vcpu *v, bool write)
{
	struct shadow_env *env = v->env;

	w->v = v;
	w->write = write;
	/* VMX instructions are #UD in compatibility mode, so CS.L tells IA-32e mode. */
	w->long_mode = env->vmcs_read(env, VMCS_GUEST_CS_ACCESS_RIGHTS) & AR_L;
	w->cr0 = env->vmcs_read(env, VMCS_GUEST_CR0);
	w->cr3 = env->vmcs_read(env, VMCS_GUEST_CR3);
	w->cr4 = env->vmcs_read(env, VMCS_GUEST_CR4);
	w->over = v->in_l2 && slot_has_ept12(v->current) ? v->current : NULL;
	w->refused = false;
}

/* Where EPT12 puts L2's address; NULL and refused if it does not. With accessed and dirty flags
 * for EPT, accesses to paging structures count as writes (SDM 3C "Accessed and Dirty Flags for
 * EPT"); an access that has to be logged is L1's to see. */
static void *pointer12(struct l1_walk *w, uint64_t address, unsigned size, bool write)
{
	struct shadow_vcpu *v = w->v;
	uint64_t eptp = vmcs_get(&w->over->v12, EPT_POINTER);
	uint32_t secondary = slot_secondary(w->over);
	struct ept12_walk e = ept12_walk(v, eptp, (struct l2_gpa){address},
					 secondary & SECONDARY_MODE_BASED_EXECUTE);
	uint64_t needed = EPT_R | (write ? EPT_W : 0);

	if (e.outcome != EPT12_OK || (e.rights & needed) != needed ||
	    (write && e.clean && secondary & SECONDARY_ENABLE_PML)) {
		w->refused = true;
		return NULL;
	}
	if (eptp & EPTP_AD)
		ept12_mark(v, eptp, (struct l2_gpa){address}, write);
	return v->env->pointer(v->env, e.gpa, size);
}

static void *pointer(struct l1_walk *w, uint64_t address, unsigned size, bool write)
{
	if (w->over)
		return pointer12(w, address, size, write);
	return w->v->env->pointer(w->v->env, (struct l1_gpa){address}, size);
}

/* Of a paging-structure entry. */
static void *entry_pointer(struct l1_walk *w, uint64_t address, unsigned size)
{
	bool write = w->over && vmcs_get(&w->over->v12, EPT_POINTER) & EPTP_AD;

	return pointer(w, address, size, write);
}

static struct paging_mode mode_of(const struct l1_walk *w)
{
	if (w->long_mode)
		return (struct paging_mode){(w->cr4 & CR4_LA57) ? 5 : 4, 9, 8};
	if (w->cr4 & CR4_PAE)
		return (struct paging_mode){3, 9, 8};
	return (struct paging_mode){2, 10, 4};
}

static struct vmx_result page_fault(struct l1_walk *w, uint64_t linear, uint32_t code)
{
	if (!w->v->in_l2)
		w->v->env->set_cr2(w->v->env, linear);
	w->v->fault_linear = linear;
	return result_fault(VECTOR_PF, code | (w->write ? PFEC_W : 0));
}

static const void *read_entry(struct l1_walk *w, uint64_t address, unsigned size, uint64_t *entry)
{
	const void *p = entry_pointer(w, address, size);

	*entry = size == 4 ? UINT32_MAX : UINT64_MAX;
	if (p)
		memcpy(entry, p, size);
	if (size == 4)
		*entry &= UINT32_MAX;
	return p;
}

/* SDM 3A "PDPTE Registers": memory was looked at when CR3 was loaded. A VMCS holds the registers
 * where the CPU has EPT. */
static const void *read_pdpte(struct l1_walk *w, uint64_t address, unsigned index, uint64_t *entry)
{
	if (!field_exists(w->v->l0.hw, VMCS_INDEX_GUEST_PDPTE0))
		return read_entry(w, address, 8, entry);
	*entry = w->v->env->vmcs_read(w->v->env, VMCS_GUEST_PDPTE0 + 2 * index);
	return NULL;
}

static void note_entry(struct l1_walk *w, const void *at, uint64_t entry)
{
	struct shadow_walk_note *trail = &w->trail;

	trail->at[trail->levels] = at;
	trail->value[trail->levels++] = entry;
	trail->nx |= (entry & PTE_NX) != 0;
	w->depends |= !at;
}

/* Sets accessed or dirty flags where the entry lacks them (SDM 3A "Accessed and Dirty Flags"). */
static void mark_entry(struct l1_walk *w, uint64_t address, unsigned size, uint64_t *entry,
		       uint64_t flags)
{
	void *p;

	if ((*entry & flags) == flags)
		return;
	*entry |= flags;
	p = pointer(w, address, size, true);
	if (p)
		memcpy(p, entry, size);
}

/* NX is a reserved bit unless EFER.NXE is set; EFER is read only if an entry has it. */
static bool nx_is_reserved(struct l1_walk *w)
{
	struct shadow_env *env = w->v->env;

	return vmx_features_have(w->v->l0.hw->features, VMX_FEATURE_EFER) &&
	       !(env->vmcs_read(env, VMCS_GUEST_IA32_EFER) & EFER_NXE);
}

/* Bits that must be 0: beyond the physical-address width, and the address below a large page. */
static bool entry_is_reserved(struct l1_walk *w, const struct paging_mode *mode, unsigned level,
			      uint64_t entry, bool leaf, unsigned shift)
{
	uint64_t address_bits = BIT64(w->v->caps.maxphyaddr) - 1;

	if (mode->entry_size == 4)
		return leaf && level == 1 && (entry & BIT64(21));
	if ((entry & PTE_NX) && nx_is_reserved(w))
		return true;
	if (entry & UINT64_C(0x000fffffffffffff) & ~address_bits)
		return true;
	if (mode->levels == 3 && level == 2)
		return entry & PDPTE_RESERVED;
	if (leaf && level)
		return entry & (BIT64(shift) - 1) & ~UINT64_C(0x1fff);
	return level >= 3 && (entry & PTE_PS);
}

static bool entry_is_leaf(const struct l1_walk *w, const struct paging_mode *mode, unsigned level,
			  uint64_t entry)
{
	if (level == 0)
		return true;
	if (!(entry & PTE_PS))
		return false;
	if (mode->entry_size == 4)
		return w->cr4 & CR4_PSE;
	return level == 1 || (level == 2 && mode->levels > 3);
}

/* Supervisor rights: CR0.WP, and SMAP for user pages. */
static bool access_is_allowed(struct l1_walk *w, uint64_t rights)
{
	struct shadow_env *env = w->v->env;

	if (w->write && !(rights & PTE_W) && (w->cr0 & CR0_WP))
		return false;
	if (!(rights & PTE_U) || !(w->cr4 & CR4_SMAP))
		return true;
	w->depends = true;
	return env->vmcs_read(env, VMCS_GUEST_RFLAGS) & RFLAGS_AC;
}

/* Address of the page frame: 32-bit paging has bits 39:32 of a 4-MB page in 20:13. */
static uint64_t leaf_address(const struct paging_mode *mode, unsigned level, uint64_t entry,
			     uint64_t linear, unsigned shift)
{
	uint64_t mask = BIT64(shift) - 1;
	uint64_t base = entry & EPT_ADDRESS & ~mask;

	if (mode->entry_size == 4 && level == 1)
		base = (entry & UINT64_C(0xffc00000)) | (entry >> 13 & 0xff) << 32;
	return base | (linear & mask);
}

static struct vmx_result walk(struct l1_walk *w, uint64_t linear, struct l1_gpa *gpa)
{
	struct paging_mode mode = mode_of(w);
	uint64_t table = w->cr3 & (mode.entry_size == 8 && mode.levels == 3 ? UINT64_C(0xffffffe0)
									    : EPT_ADDRESS);
	uint64_t rights = PTE_W | PTE_U;

	for (unsigned level = mode.levels; level-- > 0;) {
		unsigned shift = PAGE_SHIFT + level * mode.index_bits;
		uint64_t index = linear >> shift & (BIT64(mode.index_bits) - 1);
		uint64_t address = table + index * mode.entry_size, entry;
		bool pdpte = mode.levels == 3 && level == 2, leaf;
		const void *at = pdpte ? read_pdpte(w, address, (unsigned)index, &entry)
				       : read_entry(w, address, mode.entry_size, &entry);

		if (w->refused)
			return (struct vmx_result){.outcome = VMX_DO_EXIT};
		if (!(entry & PTE_P))
			return page_fault(w, linear, 0);
		leaf = entry_is_leaf(w, &mode, level, entry);
		if (entry_is_reserved(w, &mode, level, entry, leaf, shift))
			return page_fault(w, linear, PFEC_P | PFEC_RSVD);
		if (!pdpte)
			rights &= entry;
		if (leaf && !access_is_allowed(w, rights))
			return page_fault(w, linear, PFEC_P);
		if (!pdpte)
			mark_entry(w, address, mode.entry_size, &entry,
				   PTE_A | (leaf && w->write ? PTE_D : 0));
		note_entry(w, at, entry);
		if (leaf) {
			gpa->value = leaf_address(&mode, level, entry, linear, shift);
			return result_succeed();
		}
		table = entry & EPT_ADDRESS;
	}
	return result_succeed(); /* not reached: level 0 is a leaf */
}

static struct vmx_result translate(struct l1_walk *w, uint64_t linear, struct l1_gpa *gpa)
{
	if (!w->long_mode)
		linear &= UINT32_MAX;
	if (w->cr0 & CR0_PG) {
		return walk(w, linear, gpa);
	}
	gpa->value = linear;
	return result_succeed();
}

/* ---- pages found before ----
 * A walk in IA-32e mode that finds the same entries under the same registers ends the same: then
 * the page is known. (To look at the entries each time is more than the CPU does, which would use a
 * cached translation until L1 invalidates it.) */

static struct shadow_walk_note *note_slot(struct shadow_vcpu *v, uint64_t linear)
{
	return &v->walk_notes[linear >> PAGE_SHIFT & (SHADOW_WALK_NOTES - 1)];
}

static bool note_holds(struct l1_walk *w, const struct shadow_walk_note *note)
{
	if (!w->long_mode || note->cr0 != w->cr0 || note->cr3 != w->cr3 || note->cr4 != w->cr4 ||
	    note->write < w->write)
		return false;
	for (unsigned i = 0; i < note->levels; i++)
		if (*note->at[i] != note->value[i])
			return false;
	return !note->nx || !nx_is_reserved(w);
}

static void note_page(struct l1_walk *w, uint64_t linear, struct l1_gpa gpa)
{
	struct shadow_walk_note *note = note_slot(w->v, linear);
	uint8_t *memory;

	if (!w->long_mode || w->depends)
		return;
	memory = w->v->env->pointer(w->v->env, (struct l1_gpa){PAGE_BASE(gpa.value)}, PAGE_SIZE);
	if (!memory)
		return;
	*note = w->trail;
	note->page = PAGE_BASE(linear);
	note->cr0 = w->cr0;
	note->cr3 = w->cr3;
	note->cr4 = w->cr4;
	note->write = w->write;
	note->memory = memory;
}

/* The operand's one or two pieces: it may straddle a page boundary. NULL: no RAM there. */
struct pieces {
	uint8_t *at[2];
	unsigned length[2];
};

static struct vmx_result find_piece(struct l1_walk *w, uint64_t linear, unsigned length,
				    uint8_t **at)
{
	const struct shadow_walk_note *note = note_slot(w->v, linear);
	struct vmx_result r;
	struct l1_gpa gpa = {0};

	if (!w->over && note->page == PAGE_BASE(linear) && note->memory && note_holds(w, note)) {
		*at = note->memory + PAGE_OFFSET(linear);
		return result_succeed();
	}
	memset(&w->trail, 0, sizeof(w->trail));
	w->depends = w->over != NULL;
	r = translate(w, linear, &gpa);
	if (r.outcome != VMX_SUCCEED)
		return r;
	note_page(w, linear, gpa);
	*at = pointer(w, gpa.value, length, w->write);
	return r;
}

/* All of it is found before any of it is touched. */
static struct vmx_result find_pieces(struct l1_walk *w, uint64_t linear, unsigned length,
				     struct pieces *pieces)
{
	unsigned room = (unsigned)(PAGE_SIZE - PAGE_OFFSET(linear));
	struct vmx_result r;

	pieces->length[0] = length <= room ? length : room;
	pieces->length[1] = length - pieces->length[0];
	r = find_piece(w, linear, pieces->length[0], &pieces->at[0]);
	if (r.outcome == VMX_SUCCEED && pieces->length[1])
		r = find_piece(w, linear + room, pieces->length[1], &pieces->at[1]);
	if (w->refused)
		return (struct vmx_result){.outcome = VMX_DO_EXIT};
	return r;
}

struct vmx_result l1_linear_read(struct shadow_vcpu *v, uint64_t linear, void *buffer,
				 unsigned length)
{
	struct l1_walk w;
	struct pieces pieces;
	struct vmx_result r;
	uint8_t *to = buffer;

	walk_begin(&w, v, false);
	r = find_pieces(&w, linear, length, &pieces);
	for (unsigned i = 0; i < 2 && r.outcome == VMX_SUCCEED && pieces.length[i]; i++) {
		if (pieces.at[i])
			memcpy(to, pieces.at[i], pieces.length[i]);
		else
			memset(to, 0xff, pieces.length[i]);
		to += pieces.length[i];
	}
	return r;
}

struct vmx_result l1_linear_write(struct shadow_vcpu *v, uint64_t linear, const void *buffer,
				  unsigned length)
{
	struct l1_walk w;
	struct pieces pieces;
	struct vmx_result r;
	const uint8_t *from = buffer;

	walk_begin(&w, v, true);
	r = find_pieces(&w, linear, length, &pieces);
	for (unsigned i = 0; i < 2 && r.outcome == VMX_SUCCEED && pieces.length[i]; i++) {
		if (pieces.at[i])
			memcpy(pieces.at[i], from, pieces.length[i]);
		from += pieces.length[i];
	}
	return r;
}
