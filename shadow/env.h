/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The seam between nested VMX and the world: everything that shadow/ needs from memory and from the
 * CPU goes through this one struct. l0/hv implements it over real hardware, tests over arrays that
 * keep their write history. No call here can fail unless its comment says how.
 */
#ifndef SHADOW_ENV_H
#define SHADOW_ENV_H

#include "shadow/sdm/vmcs.h"
#include "shadow/types.h"

/* Lists of fields that are read or written at one stroke: SHADOW_LIST_<list>, see lists.def. */
#define SHADOW_LISTS(X) X(L2_EXIT) X(L2_RARE) X(L1_STATE) X(L1_WRITES) X(L1_EVENT) X(L1_ENTRY)       \
	X(REGISTERS) X(L1_LOAD)
enum shadow_list {
#define X(list) SHADOW_LIST_##list,
	SHADOW_LISTS(X)
#undef X
	SHADOW_LIST_COUNT,
};

/* How EPT01 maps one l1_gpa. */
struct shadow_mapping {
	struct hpa hpa;	 /* of the very address asked for */
	uint64_t size;	 /* 4 KB, 2 MB or 1 GB: the largest range around it that is mapped alike, in
			  * one piece, and naturally aligned in both address spaces */
	uint64_t rights; /* of EPT_R, EPT_W, EPT_X */
	uint64_t type;	 /* memory type, as bits of an EPT entry (EPT_MT, EPT_IPAT) */
};

struct shadow_env {
	/* -- L1's memory -- */

	/* How L0 maps an address of L1; false: not at all (a hole, L0's own memory, beyond the
	 * physical-address width). MMIO that L0 passes through is mapped, with type UC. */
	bool (*translate)(struct shadow_env *env, struct l1_gpa gpa,
			  struct shadow_mapping *mapping);

	/* A pointer to `length` bytes of L1's RAM, within one 4-KB page; NULL: not RAM. */
	void *(*pointer)(struct shadow_env *env, struct l1_gpa gpa, unsigned length);

	/* Asks for notice of the next write to L1's page, by L1 or L2: the write exits to L0 before
	 * it happens, and L0 calls shadow_page_written(). false: this L0 cannot watch (or not now).
	 * From the return to the notice, translate() shows the page without EPT_W. May be NULL. */
	bool (*watch)(struct shadow_env *env, struct l1_gpa page);

	/* -- L0's memory: a bounded pool in one piece, so that tables can link by hpa -- */

	/* Zeroed. false: none left. */
	bool (*page_alloc)(struct shadow_env *env, struct shadow_page *page);
	void (*page_free)(struct shadow_env *env, struct shadow_page page);
	uintptr_t pool_va; /* pool page at hpa h is at pool_va + (h - pool_hpa) */
	uint64_t pool_hpa;

	/* -- the current hardware VMCS -- */

	/* Reads the list's fields into field[VMCS_INDEX_*] (an array of VMCS_FIELD_COUNT). Bit n of
	 * the result: the list's n-th field is not what was there before. No list has more than 64.
	 */
	uint64_t (*vmcs_read_list)(struct shadow_env *env, enum shadow_list list, uint64_t *field);
	/* Writes the fields of L1_LOAD: value[n] to the n-th. */
	void (*vmcs_write_list)(struct shadow_env *env, enum shadow_list list,
				const uint64_t *value);
	uint64_t (*vmcs_read)(struct shadow_env *env, uint32_t encoding);
	void (*vmcs_write)(struct shadow_env *env, uint32_t encoding, uint64_t value);

	/* VMPTRLD and VMCLEAR of a VMCS of L0's. A page becomes a VMCS by vmcs_format: writes the
	 * hardware's revision identifier, with the shadow-VMCS indicator if asked. */
	void (*vmcs_format)(struct shadow_env *env, struct shadow_page page, bool is_shadow);
	void (*vmptrld)(struct shadow_env *env, const struct hpa *vmcs);
	void (*vmclear)(struct shadow_env *env, struct hpa vmcs);

	/* -- the rest of the CPU -- */

	void (*invept)(struct shadow_env *env, unsigned type, uint64_t eptp);
	void (*invvpid)(struct shadow_env *env, unsigned type, uint16_t vpid, uint64_t linear);

	/* RDMSR and WRMSR as L1 itself would execute them, L0's emulation included, for the MSR
	 * lists of a VMCS12. false: L1 would have got #GP. MSRs that have a VMCS field (EFER, PAT,
	 * FS_BASE ...) do not come here. */
	bool (*rdmsr)(struct shadow_env *env, uint32_t msr, uint64_t *value);
	bool (*wrmsr)(struct shadow_env *env, uint32_t msr, uint64_t value);

	/* RDTSC: what the VMX-preemption timer counts by, without L1's offset or scale. */
	uint64_t (*rdtsc)(struct shadow_env *env);

	/* CR2, before a #PF is injected into L1. */
	void (*set_cr2)(struct shadow_env *env, uint64_t linear);

	/* Something rare worth a line in a log: a failed check, an eviction. May be NULL. */
	void (*note)(struct shadow_env *env, const char *what, uint64_t a, uint64_t b);
};

/* Pointer to a page of L0's pool. */
static inline void *env_pool_pointer(const struct shadow_env *env, struct hpa hpa)
{
	return (void *)(env->pool_va + (uintptr_t)(hpa.value - env->pool_hpa));
}

#endif
