/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which addresses MSRs take: canonical ones by what the part supports, whatever the paging mode is
 * (SDM 1 "Canonical Addressing"). A line an MSR: for each address whether it stood there afterwards
 * or which vector refused it.
 */
#include "l1/lib/console.h"
#include "l1/lib/cpu.h"
#include "l1/lib/runtime.h"
#include "l1/lib/trap.h"
#include "shadow/sdm/msr.h"

static const struct {
	const char *name;
	uint32_t msr;
} msrs[] = {
	{"FS_BASE", MSR_IA32_FS_BASE},
	{"GS_BASE", MSR_IA32_GS_BASE},
	{"KERNEL_GS_BASE", MSR_IA32_KERNEL_GS_BASE},
	{"LSTAR", MSR_IA32_LSTAR},
	{"SYSENTER_ESP", MSR_IA32_SYSENTER_ESP},
	{"SYSENTER_EIP", MSR_IA32_SYSENTER_EIP},
};

/* The ends of 48 bits and of 57, and the first that is neither. */
static const uint64_t addresses[] = {
	UINT64_C(0x00007fffffffffff), UINT64_C(0xffff800000000000), UINT64_C(0x0000800000000000),
	UINT64_C(0x00ffffffffffffff), UINT64_C(0xff00000000000000), UINT64_C(0x0100000000000000),
};

struct access {
	uint32_t msr;
	uint64_t value;
};

static void write(void *argument)
{
	const struct access *access = argument;

	wrmsr(access->msr, access->value);
}

static void probe(uint32_t msr, uint64_t value)
{
	struct access access = {msr, value};
	struct trap_info info;

	if (trap_catch(&info, write, &access))
		printf(" vector %u", (uint32_t)info.frame.vector);
	else
		printf(rdmsr(msr) == value ? " taken" : " lost");
}

int main(void)
{
	for (unsigned i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		uint64_t before = rdmsr(msrs[i].msr);

		printf("%s:", msrs[i].name);
		for (unsigned n = 0; n < sizeof(addresses) / sizeof(addresses[0]); n++)
			probe(msrs[i].msr, addresses[n]);
		printf("\n");
		wrmsr(msrs[i].msr, before);
	}
	return STATUS_OK;
}
