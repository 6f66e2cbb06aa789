/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A struct shadow_env over arrays: L1's memory, L0's page pool, VMCSs by address with a history of
 * what was done to them, MSRs. Its limits: L1 has 4 MB of RAM at gpa 0, mapped at RAM_HPA in 2-MB
 * pages but for pages that a test maps otherwise; reading a field that the fake hardware lacks, or
 * touching a VMCS while none is current, ends the test; nothing runs, so a test plays the
 * hardware's part in an exit.
 */
#ifndef TESTS_SHADOW_FAKE_ENV_H
#define TESTS_SHADOW_FAKE_ENV_H

#include "shadow/env.h"

#define FAKE_RAM_SIZE UINT64_C(0x400000)
#define FAKE_RAM_HPA UINT64_C(0x100000000)
#define FAKE_POOL_HPA UINT64_C(0x300000000)
#define FAKE_POOL_PAGES 512
#define FAKE_VMCS_COUNT 32
#define FAKE_HISTORY 8192
#define FAKE_MSRS 8
#define FAKE_EXCEPTIONS 8

enum fake_op {
	FAKE_WRITE,
	FAKE_READ,
	FAKE_READ_LIST,
	FAKE_VMPTRLD,
	FAKE_VMCLEAR,
	FAKE_INVEPT,
	FAKE_INVVPID
};

struct fake_event {
	enum fake_op op;
	uint64_t a, b; /* WRITE: encoding, value. READ, READ_LIST: which. VMPTRLD, VMCLEAR: hpa.
			  INV*: type, tag */
	uint64_t vmcs; /* current at the time */
};

struct fake_vmcs {
	uint64_t hpa; /* 0: free */
	bool shadow;
	uint64_t field[VMCS_FIELD_COUNT];
};

/* A page of L1 that is not mapped as RAM in 2-MB pages. */
struct fake_page {
	uint64_t gpa; /* UINT64_MAX: free */
	bool hole, mmio;
	uint64_t rights;
};

struct fake_env {
	struct shadow_env env; /* first: the callbacks get a pointer to it */
	struct vmx_caps hw;
	uint8_t *ram;
	uint8_t *pool;
	bool used[FAKE_POOL_PAGES];
	unsigned pool_limit, pool_used, pool_peak;
	struct fake_vmcs vmcs[FAKE_VMCS_COUNT];
	struct fake_vmcs *current;
	unsigned events;
	struct {
		uint32_t index;
		uint64_t value;
	} msr[FAKE_MSRS];
	unsigned msrs;
	struct fake_page page[FAKE_EXCEPTIONS];
	bool can_watch;
	uint64_t watched[FAKE_EXCEPTIONS];
	unsigned watches;
	uint64_t tsc, cr2;
	char noted[64]; /* the last env->note */
	uint64_t touched[FAKE_RAM_SIZE / PAGE_SIZE / 64]; /* pages that may have been written */
	struct fake_event history[FAKE_HISTORY];
};

/* Everything that the hardware of the tests has by default. */
vmx_features fake_all_features(void);
void fake_env_init(struct fake_env *f, vmx_features features);
void fake_env_free(struct fake_env *f);

/* The VMCS at an address (made on first use), and a field of it by name. */
struct fake_vmcs *fake_vmcs_at(struct fake_env *f, uint64_t hpa);
#define fake_get(f, hpa_, name) (fake_vmcs_at(f, hpa_)->field[VMCS_INDEX_##name])
#define fake_set(f, hpa_, name, value)                                                             \
	((void)(fake_vmcs_at(f, hpa_)->field[VMCS_INDEX_##name] = (value)))

/* History: forget it; how often an op happened with this first operand; writes in total. */
void fake_forget(struct fake_env *f);
unsigned fake_count(const struct fake_env *f, enum fake_op op, uint64_t a);
unsigned fake_count_all(const struct fake_env *f, enum fake_op op);

void fake_set_msr(struct fake_env *f, uint32_t index, uint64_t value);
uint64_t fake_msr(const struct fake_env *f, uint32_t index);
/* Maps one 4-KB page of L1 otherwise. */
void fake_map(struct fake_env *f, uint64_t gpa, struct fake_page page);

/* L1's memory. */
void fake_poke64(struct fake_env *f, uint64_t gpa, uint64_t value);
uint64_t fake_peek64(const struct fake_env *f, uint64_t gpa);

#endif
