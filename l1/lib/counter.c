/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Fixed counter 0: presence by CPUID.0AH, enabled by its two control MSRs.
 */
#include "l1/lib/counter.h"

#include "l1/lib/console.h"
#include "l1/lib/trap.h"

#define CPUID_PMU 0xa
#define FIXED_CTR0_ALL_RINGS UINT64_C(0x3)
#define GLOBAL_FIXED_CTR0 BIT64(32)

static bool has_insns;

static void start(void *unused)
{
	wrmsr(MSR_IA32_FIXED_CTR_CTRL, FIXED_CTR0_ALL_RINGS);
	wrmsr(MSR_IA32_PERF_GLOBAL_CTRL, GLOBAL_FIXED_CTR0);
	rdpmc(RDPMC_FIXED0);
}

/* Under trap_catch(): Bochs 2.7 announces counters that it does not have. */
bool counter_start(void)
{
	struct cpuid pmu = {0};
	struct trap_info info;

	if (cpuid(0, 0).eax >= CPUID_PMU)
		pmu = cpuid(CPUID_PMU, 0);
	has_insns = (pmu.eax & 0xff) >= 2 && (pmu.edx & 0x1f) >= 1 &&
		    !trap_catch(&info, start, 0);
	return has_insns;
}

bool counter_has_insns(void)
{
	return has_insns;
}

void counter_print(uint64_t insns, uint64_t cycles)
{
	if (has_insns)
		printf("insns=%lu cycles=%lu", insns, cycles);
	else
		printf("insns=na cycles=%lu", cycles);
}
