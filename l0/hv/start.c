/* SPDX-License-Identifier: BSD-2-Clause
 *
 * From the boot loader to the guest's first instruction: read what was booted, move to the top of
 * RAM, load the guest, build its memory and its VMCS, enter.
 */
#include "l0/hv/acpi.h"
#include "l0/hv/ept01.h"
#include "l0/hv/hv.h"
#include "l0/hv/hw.h"
#include "l0/hv/loader.h"
#include "l0/hv/log.h"
#include "l0/machine/guard.h"

struct hv hv;
struct vcpu hv_vcpu;
_Static_assert(offsetof(struct vcpu, regs) == 16384, "boot.S starts on the stack before regs");

_Noreturn void hv_start(uint32_t magic, uint64_t info);

static void announce(const struct loader_entry *entry)
{
	console_note("abyme: level %u at %lx..%lx, %u pages free, guest at %lx\n", hv.machine.level,
		     memory_map.region.base, memory_map.region.end, pool_available(), entry->rip);
}

/* At the bottom our addresses are the machine's: it shall watch over our memory. */
static void ask_for_guard(void)
{
	const struct memory_area *region = &memory_map.region;

	if (hv.machine.level)
		return;
	hw_out32(GUARD_PORT, (uint32_t)(region->base >> PAGE_SHIFT));
	hw_out32(GUARD_PORT + 4, (uint32_t)((region->end - region->base) >> PAGE_SHIFT));
}

/* Our guest must not reach the hypervisors beneath us through us: what ends them ends us. */
static void hide_regions_beneath(void)
{
	for (uint32_t i = 0; hv.machine.level; i++) {
		struct cpuid_regs r = hw_cpuid(HV_CPUID_REGION, i);

		if (!r.ebx)
			break;
		range_hide((uint64_t)r.eax * PAGE_SIZE, (uint64_t)r.ebx * PAGE_SIZE);
	}
}

/* On the moved image. */
_Noreturn static void go_on(void)
{
	struct loader_entry entry;
	struct hv_host_tables tables;

	memory_open_pool();
	memory_map_high();
	desc_load(&tables);
	machine_probe(&hv.machine);
	memory_protect(&hv.machine);
	cpuid_init();
	ask_for_guard();
	if (!hv.options.nolog && log_start())
		hv_vcpu.attention |= HV_ATTENTION_LOG;
	loader_load(&entry);
	range_build(hv.machine.caps.maxphyaddr, hv.options.map_offset);
	hide_regions_beneath();
	unpaged_prepare(&hv_vcpu.unpaged);
	machine_enter_vmx(&hv.machine);
	vmcs01_create(&hv_vcpu, &tables, ept01_create(), &entry);
	env_start(&hv_vcpu);
	announce(&entry);
	hv_vcpu.launched = true;
	entry_first(&hv_vcpu.regs);
}

/* boot.S calls this on the image as it was loaded. */
_Noreturn void hv_start(uint32_t magic, uint64_t info)
{
	multiboot_read(magic, info);
	options_parse(&hv.options, loader_boot.command_line);
	memory_relocate(go_on);
}
