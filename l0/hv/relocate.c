/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The choice of our region and the move there. The image is linked at a fixed address and copied as
 * it is; only the page tables say where it lies:
 *
 *   0x40000000           our region, 2 MiB pages (the image begins 1 MiB into it)
 *   0xffff800000000000   all of physical memory, 2 MiB pages
 *
 * The image's own large page becomes 4 KiB pages with rights of their own (protect.c).
 */
#include "l0/hv/hv.h"
#include "l0/hv/hw.h"
#include "l0/hv/multiboot.h"
#include "l0/hv/protect.h"

#define REGION_SHARE 16 /* of the RAM below 4 GiB, one part in this many is ours */
#define REGION_MIN HV_LARGE_PAGE
#define REGION_MAX (32 * HV_LARGE_PAGE)
#define FOUR_GIB (UINT64_C(1) << 32)
#define TABLE_ENTRIES 512
#define IMAGE_OFFSET UINT64_C(0x100000) /* of the image in the first large page */

extern uint64_t boot_pml4[], boot_pdpt_low[], boot_pdpt_physical[], boot_directories[];
extern const char image_start[], image_end[], image_text[], image_rodata[], image_data[];

/* The tables of the copied image's region. */
static uint64_t region_directory[TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint64_t image_table[TABLE_ENTRIES] __attribute__((aligned(4096)));

static uint64_t ram_below_4g(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < memory_map.map_count; i++) {
		const struct memory_area *area = &memory_map.map[i];

		if (area->type == MULTIBOOT_MEMORY_RAM && area->base < FOUR_GIB)
			sum += smaller(area->end, FOUR_GIB) - area->base;
	}
	return sum;
}

static void choose_region(void)
{
	uint64_t ram = ram_below_4g();
	uint64_t size = ram / REGION_SHARE & ~(HV_LARGE_PAGE - 1);
	uint64_t base;

	size = smaller(larger(size, REGION_MIN), REGION_MAX);
	base = memory_find_high(size, HV_LARGE_PAGE, 2 * IMAGE_OFFSET, FOUR_GIB);
	if (!base)
		hv_refuse("%lu MiB of RAM are too little: no room for %lu MiB of its own",
			  ram >> 20, size >> 20);
	memory_map.region = (struct memory_area){
		.base = base, .end = base + size, .type = MULTIBOOT_MEMORY_RESERVED};
	memory_use(base, size);
}

/* The boot page tables in the copied image, with addresses of the copy. */
static uint64_t *copied(uint64_t *table)
{
	return memory_pointer((uintptr_t)table - HV_LINK_OFFSET + memory_map.region.base);
}

static uint64_t copied_address(uint64_t *table)
{
	return (uintptr_t)table - HV_LINK_OFFSET + memory_map.region.base;
}

/* The copy's page tables: the identity map goes, directory 0 shows the region. Memory above 4 GiB
 * is added later, from the pool. */
static uint64_t build_tables(void)
{
	uint64_t *physical = copied(boot_pdpt_physical);
	uint64_t *low = copied(boot_pdpt_low);
	uint64_t *directory = copied(region_directory);

	for (unsigned i = 0; i < 4; i++)
		physical[i] = copied_address(boot_directories + i * TABLE_ENTRIES) | PTE_P | PTE_W;
	for (uint64_t at = memory_map.region.base; at < memory_map.region.end; at += HV_LARGE_PAGE)
		directory[(at - memory_map.region.base) / HV_LARGE_PAGE] =
		    at | PTE_P | PTE_W | PTE_PS;
	low[0] = 0;
	low[1] = copied_address(region_directory) | PTE_P | PTE_W;
	copied(boot_pml4)[0] = copied_address(boot_pdpt_low) | PTE_P | PTE_W;
	copied(boot_pml4)[256] = copied_address(boot_pdpt_physical) | PTE_P | PTE_W;
	return copied_address(boot_pml4);
}

/* What follows runs on the copy; nothing of the old stack or image is used again. */
_Noreturn void memory_relocate(void (*then)(void))
{
	uint64_t cr3;

	/* The loaded image is in use until the copy runs: it is the first entry, see
	 * memory_open_pool. */
	memory_map.used[0] = (struct memory_area){
		.base = IMAGE_OFFSET, .end = IMAGE_OFFSET + (uint64_t)(image_end - image_start)};
	choose_region();
	memory_map.image_base = memory_map.region.base;
	memcpy(memory_pointer(memory_map.region.base + IMAGE_OFFSET), image_start,
	       (size_t)(image_end - image_start));
	cr3 = build_tables();
	hw_switch_memory(cr3, hv_vcpu.regs.gpr, then);
}

/* Called once on the copy: the pool is what the image leaves of the region. */
void memory_open_pool(void)
{
	uint64_t image_last = (uintptr_t)image_end - HV_LINK_OFFSET + memory_map.region.base;

	memory_map.used[0] = (struct memory_area){0};
	pool_add(image_last, memory_map.region.end);
	pool_add(memory_map.region.base, memory_map.region.base + IMAGE_OFFSET);
}

/* No-execute rights need EFER.NXE, which the CPU has to have back at each VM exit. */
void memory_protect(const struct hv_machine *machine)
{
	const struct protect_bounds bounds = {(uintptr_t)image_text, (uintptr_t)image_rodata,
					      (uintptr_t)image_data};

	if (!(machine->caps.efer_valid & EFER_NXE) || !machine_has(machine, VMX_FEATURE_EFER))
		return;
	hw_wrmsr(MSR_IA32_EFER, hw_rdmsr(MSR_IA32_EFER) | EFER_NXE);
	protect_fill(&bounds, image_table, HV_LINK_OFFSET, memory_map.region.base);
	region_directory[0] = memory_address(image_table) | PTE_P | PTE_W;
	for (unsigned i = 1; i < TABLE_ENTRIES; i++)
		if (region_directory[i])
			region_directory[i] |= PTE_NX;
	boot_pml4[256] |= PTE_NX;
	hw_write_cr3(hw_read_cr3());
}

/* Shows RAM above 4 GiB at HV_PHYSICAL too. */
void memory_map_high(void)
{
	for (unsigned i = 0; i < memory_map.map_count; i++) {
		const struct memory_area *area = &memory_map.map[i];

		if (area->type != MULTIBOOT_MEMORY_RAM)
			continue;
		for (uint64_t at = larger(area->base, FOUR_GIB) & ~(HV_LARGE_PAGE - 1);
		     at < area->end; at += HV_LARGE_PAGE) {
			uint64_t *slot = &boot_pdpt_physical[at >> 30 & 511], *directory;

			if (at >> 39)
				hv_refuse("RAM above 512 GiB is not supported");
			if (!(*slot & PTE_P))
				*slot = memory_address(pool_need()) | PTE_P | PTE_W;
			directory = memory_pointer(*slot & EPT_ADDRESS);
			directory[at >> 21 & 511] = at | PTE_P | PTE_W | PTE_PS;
		}
	}
}
