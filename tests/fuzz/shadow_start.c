/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Fixtures that are put back by what may have changed: the structs but for the fake's history,
 * pages of RAM that somebody was given a pointer to, pages of the pool that were in use.
 */
#include "tests/fuzz/shadow_start.h"

#include <stdlib.h>

#define NO(feature) VMX_FEATURE_BIT(VMX_FEATURE_##feature)

/* What the hardware lacks. */
static const vmx_features without[] = {
    0,
    NO(VMCS_SHADOWING),
    NO(EPT_AD) | NO(PML) | NO(EPT_VE) | NO(VMFUNC) | NO(EPTP_SWITCHING) | NO(EPT_1G),
    NO(POSTED_INTERRUPTS) | NO(VIRTUAL_INTERRUPT_DELIVERY) | NO(APIC_REGISTER_VIRTUALIZATION) |
	NO(MODE_BASED_EXECUTE) | NO(TSC_SCALING) | NO(XSAVES),
    NO(CET) | NO(PKRS) | NO(PERF_GLOBAL_CTRL) | NO(PREEMPTION_TIMER) | NO(SAVE_PREEMPTION_TIMER),
};
#define ROWS (sizeof(without) / sizeof(without[0]))

struct start {
	struct fixture *f;     /* in use */
	struct fixture *saved; /* as it was */
	uint8_t *pool, *ram;   /* likewise */
};

static struct start *start_make(unsigned row, bool launched)
{
	struct start *start = calloc(1, sizeof(*start));

	assert_non_null(start);
	start->f = calloc(1, sizeof(*start->f));
	start->saved = calloc(1, sizeof(*start->saved));
	start->pool = malloc(FAKE_POOL_PAGES * PAGE_SIZE);
	start->ram = malloc(FAKE_RAM_SIZE);
	assert_true(start->f && start->saved && start->pool && start->ram);
	fixture_init(start->f, fake_all_features() & ~without[row]);
	l1_prepare(start->f);
	if (launched)
		l1_launch(start->f);
	memset(start->f->fake.touched, 0, sizeof(start->f->fake.touched));
	memcpy(start->saved, start->f, sizeof(*start->f));
	memcpy(start->pool, start->f->fake.pool, FAKE_POOL_PAGES * PAGE_SIZE);
	memcpy(start->ram, start->f->fake.ram, FAKE_RAM_SIZE);
	return start;
}

static void restore_ram(const struct start *start)
{
	const struct fake_env *fake = &start->f->fake;

	for (unsigned page = 0; page < FAKE_RAM_SIZE / PAGE_SIZE; page++)
		if (fake->touched[page / 64] >> page % 64 & 1)
			memcpy(fake->ram + page * PAGE_SIZE, start->ram + page * PAGE_SIZE,
			       PAGE_SIZE);
}

/* A page that is free is zeroed when it is given out. */
static void restore_pool(const struct start *start)
{
	for (unsigned page = 0; page < FAKE_POOL_PAGES; page++)
		if (start->saved->fake.used[page])
			memcpy(start->f->fake.pool + page * PAGE_SIZE,
			       start->pool + page * PAGE_SIZE, PAGE_SIZE);
}

static void restore_structs(const struct start *start)
{
	size_t before = offsetof(struct fixture, fake.history);
	size_t behind = before + sizeof(start->f->fake.history);

	memcpy(start->f, start->saved, before);
	memcpy((char *)start->f + behind, (const char *)start->saved + behind,
	       sizeof(*start->f) - behind);
}

struct fixture *shadow_start(unsigned features, bool launched)
{
	static struct start *starts[ROWS][2];
	struct start **start = &starts[features % ROWS][launched];

	if (!*start)
		*start = start_make(features % ROWS, launched);
	restore_ram(*start);
	restore_pool(*start);
	restore_structs(*start);
	return (*start)->f;
}
