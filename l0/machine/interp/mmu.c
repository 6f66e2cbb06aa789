/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory as instructions see it: linear accesses over the TLB, MMIO, the pages of the local APIC,
 * segmented accesses, and the CPU's own physical accesses. Raises what the walks only report.
 */
#include "l0/machine/interp/tlb.h"

#include <string.h>

#include "l0/machine/interp/cost.h"
#include "l0/machine/interp/pebs.h"
#include "l0/machine/interp/profile.h"
#include "l0/machine/interp/rtm.h"
#include "l0/machine/interp/sys.h"

#define ACCESS_KIND (MEM_WRITE | MEM_FETCH | MEM_SHADOW_STACK)
/* The first-level TLB answers for ordinary reads and writes only. */
#define NOT_FAST (MEM_FETCH | MEM_SHADOW_STACK)

/* ---- host memory: sizes are seldom constants here, and a call of memcpy costs more than the access ----
 */

static uint64_t host_read(const uint8_t *host, unsigned size)
{
	uint64_t value = 0;

	switch (size) {
	case 8:
		memcpy(&value, host, 8);
		return value;
	case 4:
		memcpy(&value, host, 4);
		return value;
	case 2:
		memcpy(&value, host, 2);
		return value;
	default:
		return *host;
	}
}

static void host_write(uint8_t *host, unsigned size, uint64_t value)
{
	switch (size) {
	case 8:
		memcpy(host, &value, 8);
		return;
	case 4:
		memcpy(host, &value, 4);
		return;
	case 2:
		memcpy(host, &value, 2);
		return;
	default:
		*host = (uint8_t)value;
		return;
	}
}

/* ---- physical ---- */

uint64_t phys_read(struct cpu *cpu, uint64_t hpa, unsigned size)
{
	uint64_t value = 0;

	hpa = machine_a20(cpu->machine, hpa);
	if (PAGE_OFFSET(hpa) + size <= PAGE_SIZE) {
		const uint8_t *host = memory_at(&cpu->machine->memory, hpa);

		if (!host)
			return UINT64_MAX >> (64 - 8 * size);
		return host_read(host, size);
	}
	for (unsigned i = 0; i < size; i++)
		value |= phys_read(cpu, hpa + i, 1) << 8 * i;
	return value;
}

static void store(struct cpu *cpu, uint8_t *host, uint64_t hpa, unsigned size, uint64_t value)
{
	host_write(host, size, value);
	if (blocks_page_has_code(cpu, hpa))
		blocks_written(cpu, hpa, size);
}

void phys_write(struct cpu *cpu, uint64_t hpa, unsigned size, uint64_t value)
{
	hpa = machine_a20(cpu->machine, hpa);
	if (PAGE_OFFSET(hpa) + size <= PAGE_SIZE) {
		uint8_t *host = memory_at(&cpu->machine->memory, hpa);

		if (host)
			store(cpu, host, hpa, size, value);
		return;
	}
	for (unsigned i = 0; i < size; i++)
		phys_write(cpu, hpa + i, 1, value >> 8 * i & 0xff);
}

/* ---- translation ---- */

_Noreturn void mmu_raise(struct cpu *cpu, uint64_t linear, const struct walk *walk)
{
	uint64_t qualification = walk->qualification;

	if (cpu->rtm.depth)
		rtm_abort_insn(cpu, 0);
	if (walk->outcome == WALK_PAGE_FAULT) {
		cpu->pebs.writing = 0;
		cpu_page_fault(cpu, linear, walk->error);
	}
	if (pebs_postpone(cpu))
		qualification = (qualification & ~VMX_EPT_CONVERTIBLE) | EPT_QUAL_ASYNCHRONOUS;
	if (walk->outcome == WALK_APIC_ACCESS)
		vmx_exit_apic_access(cpu, PAGE_OFFSET(walk->gpa));
	if (walk->outcome == WALK_EPT_MISCONFIGURATION)
		vmx_exit_ept_misconfiguration(cpu, walk->gpa);
	vmx_exit_ept_violation(cpu, walk->gpa, linear, qualification & EPT_QUAL_LINEAR_VALID,
			       qualification);
}

bool mmu_guarded(struct cpu *cpu, uint64_t hpa)
{
	const struct machine *machine = cpu->machine;

	if (hpa < machine->guard_base || hpa >= machine->guard_end || !cpu->vmx->nonroot)
		return false;
	machine_stop(cpu->machine, STOP_GUARD, 0);
	return true;
}

static enum page_kind kind_of(struct cpu *cpu, uint64_t hpa)
{
	uint64_t base;

	if (cpu->machine->guard_end && mmu_guarded(cpu, hpa))
		return PAGE_MMIO;

	if (cpu->vmx && cpu->vmx->nonroot && cpu->vmx->apic_access == PAGE_BASE(hpa))
		return PAGE_APIC_ACCESS;
	if (cpu->machine->lapic) {
		base = lapic_base(cpu->machine->lapic);
		if ((base & (APIC_BASE_EN | APIC_BASE_EXTD)) == APIC_BASE_EN &&
		    (base & EPT_ADDRESS) == PAGE_BASE(hpa))
			return PAGE_LAPIC;
	}
	return memory_at(&cpu->machine->memory, hpa) ? PAGE_RAM : PAGE_MMIO;
}

static enum mmu_view view_of(const struct cpu *cpu, unsigned access)
{
	if (access & MEM_IMPLICIT_SUPERVISOR)
		return VIEW_SUPERVISOR;
	return access & MEM_USER ? VIEW_USER : cpu->mmu.spaces->view;
}

/* SDM 3A "Operations that Invalidate TLBs and Paging-Structure Caches" and SDM 3C "Operations that
 * Invalidate Cached Mappings": a fault drops what is cached for its page, too. Only walks for data
 * are charged: when code is fetched is the block cache's business. */
static void walk_or_raise(struct cpu *cpu, uint64_t linear, unsigned access, enum mmu_view view,
			  struct walk *walk)
{
	/* Registers may hold what only 5-level paging can translate; SYSCALL, VM entries and such
	 * do not look at the RIP that they load. */
	if (cpu_long_mode(cpu) && !cpu_canonical(cpu, linear))
		cpu_fault_code(cpu, VECTOR_GP, 0);
	paging_walk(cpu, linear, access & ACCESS_KIND, view, walk);
	walk->hpa = machine_a20(cpu->machine, walk->hpa);
	if (!(access & MEM_FETCH))
		cpu_charge(cpu, (uint64_t)walk->references * COST_TLB_MISS_REFERENCE);
	if (walk->outcome == WALK_OK)
		return;
	mmu_flush_page(cpu, linear);
	mmu_raise(cpu, linear, walk);
}

/* The second-level entry that allows the access; raises if there is none. */
static const struct tlb2_entry *translate(struct cpu *cpu, uint64_t linear, unsigned access)
{
	enum mmu_view view = view_of(cpu, access);
	const struct tlb2_entry *entry = tlb2_find(cpu, linear);
	struct walk walk;

	if (!entry || !tlb2_allows(cpu, entry, view, access)) {
		walk_or_raise(cpu, linear, access, view, &walk);
		entry = tlb2_insert(cpu, linear, &walk, kind_of(cpu, walk.hpa), entry != NULL);
	}
	tlb_fill(cpu, entry, linear, view, access & MEM_FETCH);
	return entry;
}

/* First-level slot of the page and the tag it must carry. */
static struct tlb_entry *slot_of(struct cpu *cpu, uint64_t linear, unsigned access, uint64_t *tag)
{
	enum mmu_view view = view_of(cpu, access);

	if (view != cpu->mmu.spaces->view)
		return tlb_slot_of_view(cpu, linear, view, tag);
	*tag = cpu->mmu.tag;
	return tlb_slot(&cpu->mmu, linear);
}

uint8_t *lin_hit(struct cpu *cpu, uint64_t linear, unsigned size, unsigned access)
{
	uint64_t tag;
	const struct tlb_entry *slot = slot_of(cpu, linear, access, &tag);
	uint64_t want = PAGE_BASE(linear + size - 1) | tag;

	if ((access & NOT_FAST) || (access & MEM_WRITE ? slot->write : slot->read) != want)
		return NULL;
	return (uint8_t *)(uintptr_t)(linear + slot->addend);
}

uint8_t *lin_to_host(struct cpu *cpu, uint64_t linear, unsigned access, uint64_t *hpa)
{
	const struct tlb2_entry *entry;
	uint8_t *host = hpa ? NULL : lin_hit(cpu, linear, 1, access);

	if (host)
		return host;
	entry = translate(cpu, linear, access);
	if (hpa)
		*hpa = entry->hpa | PAGE_OFFSET(linear);
	if (entry->kind != PAGE_RAM ||
	    (!(access & MEM_FETCH) && (mmu_space_mode(cpu) & SPACE_SLOW)) ||
	    ((access & MEM_WRITE) &&
	     ((mmu_space_mode(cpu) & SPACE_RTM) || blocks_page_has_code(cpu, entry->hpa))))
		return NULL;
	return memory_at(&cpu->machine->memory, entry->hpa) + PAGE_OFFSET(linear);
}

const uint8_t *lin_fetch(struct cpu *cpu, uint64_t linear, uint64_t *hpa)
{
	struct walk walk;
	enum page_kind kind;

	walk_or_raise(cpu, linear, MEM_FETCH, mmu_current_view(cpu), &walk);
	tlb_note_fetch(cpu, linear, &walk);
	*hpa = walk.hpa;
	kind = kind_of(cpu, walk.hpa);
	if (kind == PAGE_APIC_ACCESS) /* never virtualized: a VM exit */
		(void)vmx_apic_read(cpu, PAGE_OFFSET(linear), 1, linear, MEM_FETCH);
	if (kind != PAGE_RAM)
		return NULL;
	return memory_at(&cpu->machine->memory, walk.hpa);
}

/* ---- linear accesses ---- */

/* SDM 3A "Alignment Check Exception (#AC)" */
static void check_alignment(struct cpu *cpu, uint64_t linear, unsigned size, unsigned access)
{
	if ((linear & (size - 1)) && cpu->cpl == 3 && (cpu->cr0 & CR0_AM) &&
	    (cpu->eflags_rest & RFLAGS_AC) && !(access & (MEM_IMPLICIT_SUPERVISOR | NOT_FAST)))
		cpu_fault_code(cpu, VECTOR_AC, 0);
}

/* The xAPIC's registers are 32 bits wide, 16 bytes apart. */
static uint64_t lapic_read(struct cpu *cpu, unsigned offset, unsigned size)
{
	uint64_t value = lapic_mmio_read(cpu->machine->lapic, offset & 0xffcu);

	if (size == 8)
		value |= (uint64_t)lapic_mmio_read(cpu->machine->lapic, (offset & 0xffcu) + 4)
			 << 32;
	value >>= 8 * (offset & 3);
	return size == 8 ? value : value & (UINT64_MAX >> (64 - 8 * size));
}

static uint64_t load(struct cpu *cpu, const struct tlb2_entry *entry, uint64_t linear,
		     unsigned size, unsigned access)
{
	uint64_t hpa = entry->hpa | PAGE_OFFSET(linear);

	if (cpu->rtm.depth)
		rtm_access(cpu, entry->kind == PAGE_RAM, hpa, 0);
	switch ((enum page_kind)entry->kind) {
	case PAGE_APIC_ACCESS:
		return vmx_apic_read(cpu, PAGE_OFFSET(linear), size, linear, access);
	case PAGE_LAPIC:
		cpu_charge(cpu, COST_MMIO);
		return lapic_read(cpu, PAGE_OFFSET(linear), size);
	case PAGE_MMIO:
		cpu_charge(cpu, COST_MMIO);
		return machine_mmio_read(cpu->machine, hpa, size);
	case PAGE_RAM:
		break;
	}
	return phys_read(cpu, hpa, size);
}

static void save(struct cpu *cpu, const struct tlb2_entry *entry, uint64_t linear, unsigned size,
		 uint64_t value, unsigned access)
{
	uint64_t hpa = entry->hpa | PAGE_OFFSET(linear);

	if (cpu->rtm.depth)
		rtm_access(cpu, entry->kind == PAGE_RAM, hpa, size);
	switch ((enum page_kind)entry->kind) {
	case PAGE_APIC_ACCESS:
		vmx_apic_write(cpu, PAGE_OFFSET(linear), size, value, linear, access);
		return;
	case PAGE_LAPIC:
		cpu_charge(cpu, COST_MMIO);
		lapic_mmio_write(cpu->machine->lapic, PAGE_OFFSET(linear), (uint32_t)value);
		return;
	case PAGE_MMIO:
		cpu_charge(cpu, COST_MMIO);
		machine_mmio_write(cpu->machine, hpa, size, value);
		return;
	case PAGE_RAM:
		phys_write(cpu, hpa, size, value);
		return;
	}
}

/* Addresses wrap at 4 GiB outside 64-bit mode, but for the system structures of IA-32e mode. */
static uint64_t linear_wrap(const struct cpu *cpu, uint64_t linear, unsigned access)
{
	if (cpu_code64(cpu) || ((access & MEM_IMPLICIT_SUPERVISOR) && cpu_long_mode(cpu)))
		return linear;
	return linear & UINT64_C(0xffffffff);
}

static void check_breakpoints(struct cpu *cpu, uint64_t linear, unsigned size, unsigned access)
{
	if (mmu_space_mode(cpu) & SPACE_SLOW)
		debug_memory_access(cpu, linear, size, access);
}

static uint64_t read_slow(struct cpu *cpu, uint64_t linear, unsigned size, unsigned access)
{
	unsigned first = (unsigned)(PAGE_SIZE - PAGE_OFFSET(linear));
	uint64_t second, value = 0;

	check_alignment(cpu, linear, size, access);
	if (size <= first) {
		value = load(cpu, translate(cpu, linear, access), linear, size, access);
		check_breakpoints(cpu, linear, size, access);
		return value;
	}
	second = linear_wrap(cpu, linear + first, access);
	translate(cpu, linear, access);
	translate(cpu, second, access);
	for (unsigned i = 0; i < size; i++) {
		uint64_t at = i < first ? linear + i : second + i - first;

		value |= load(cpu, translate(cpu, at, access), at, 1, access) << 8 * i;
	}
	check_breakpoints(cpu, linear, size, access);
	return value;
}

uint64_t lin_read(struct cpu *cpu, uint64_t linear, unsigned size, unsigned access)
{
	uint64_t tag;
	const struct tlb_entry *slot = slot_of(cpu, linear, access, &tag);

	if (!(access & NOT_FAST) && slot->read == (PAGE_BASE(linear) | tag) &&
	    PAGE_OFFSET(linear) + size <= PAGE_SIZE)
		return host_read((const uint8_t *)(uintptr_t)(linear + slot->addend), size);
	return read_slow(cpu, linear, size, access);
}

static void write_slow(struct cpu *cpu, uint64_t linear, unsigned size, uint64_t value,
		       unsigned access)
{
	unsigned first = (unsigned)(PAGE_SIZE - PAGE_OFFSET(linear));
	uint64_t second;

	check_alignment(cpu, linear, size, access);
	if (size <= first) {
		save(cpu, translate(cpu, linear, access), linear, size, value, access);
		check_breakpoints(cpu, linear, size, access);
		return;
	}
	second = linear_wrap(cpu, linear + first, access);
	translate(cpu, linear, access);
	translate(cpu, second, access);
	for (unsigned i = 0; i < size; i++) {
		uint64_t at = i < first ? linear + i : second + i - first;

		save(cpu, translate(cpu, at, access), at, 1, value >> 8 * i & 0xff, access);
	}
	check_breakpoints(cpu, linear, size, access);
}

void lin_write(struct cpu *cpu, uint64_t linear, unsigned size, uint64_t value, unsigned access)
{
	uint64_t tag;
	const struct tlb_entry *slot = slot_of(cpu, linear, access, &tag);

	access |= MEM_WRITE;
	if (!(access & NOT_FAST) && slot->write == (PAGE_BASE(linear) | tag) &&
	    PAGE_OFFSET(linear) + size <= PAGE_SIZE) {
		host_write((uint8_t *)(uintptr_t)(linear + slot->addend), size, value);
		return;
	}
	write_slow(cpu, linear, size, value, access);
}

void lin_probe(struct cpu *cpu, uint64_t linear, unsigned size, unsigned access)
{
	uint64_t last = linear_wrap(cpu, linear + size - 1, access);

	check_alignment(cpu, linear, size, access);
	translate(cpu, linear, access);
	if (PAGE_BASE(last) != PAGE_BASE(linear))
		translate(cpu, PAGE_BASE(last), access);
}
