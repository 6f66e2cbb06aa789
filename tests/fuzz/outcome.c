/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Registers, MSRs, devices, memory, time, and what of the caches tells how they were used.
 */
#include "tests/fuzz/outcome.h"

#include <assert.h>
#include <string.h>

#include "l0/machine/console.h"
#include "l0/machine/interp/block.h"
#include "l0/machine/interp/tlb.h"

#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

static void see(struct outcome_words *outcome, const char *what, uint64_t number, uint64_t value)
{
	assert(outcome->count < OUTCOME_MAX);
	outcome->word[outcome->count].what = what;
	outcome->word[outcome->count].number = number;
	outcome->word[outcome->count++].value = value;
}

static void see_bytes(struct outcome_words *outcome, const char *what, const void *bytes,
		      size_t size)
{
	for (size_t at = 0; at < size; at += 8) {
		uint64_t value = 0;

		memcpy(&value, (const uint8_t *)bytes + at, size - at < 8 ? size - at : 8);
		see(outcome, what, at, value);
	}
}
#define SEE(outcome, object) see_bytes(outcome, #object, &(object), sizeof(object))

static void see_run(struct outcome_words *outcome, struct machine *machine)
{
	struct cpu_stats stats;

	machine->cpu_ops->stats(machine->cpu, &stats);
	see(outcome, "stop", 0, machine->stop);
	see(outcome, "stop value", 0, machine->stop_value);
	see(outcome, "instructions", 0, stats.instructions);
	see(outcome, "cycles", 0, stats.cycles);
	see(outcome, "console", 0, console_digest(machine->console));
	see(outcome, "next event", 0, event_next(&machine->events));
	see(outcome, "a20", 0, machine->a20_off);
}

static void see_registers(struct outcome_words *outcome, const struct cpu *cpu)
{
	see(outcome, "rip", 0, cpu_rip(cpu));
	see(outcome, "rflags", 0, cpu_rflags(cpu));
	for (unsigned i = 0; i < REG_COUNT; i++)
		see(outcome, "gpr", i, cpu->gpr[i]);
	for (unsigned i = 0; i < SEG_COUNT; i++) {
		see(outcome, "base", i, cpu->seg[i].base);
		see(outcome, "limit, rights", i,
		    (uint64_t)cpu->seg[i].limit << 32 | cpu->seg[i].ar);
		see(outcome, "selector", i, cpu->seg[i].selector);
	}
	see(outcome, "gdtr", cpu->gdtr.limit, cpu->gdtr.base);
	see(outcome, "idtr", cpu->idtr.limit, cpu->idtr.base);
	see(outcome, "cr0", 0, cpu->cr0);
	see(outcome, "cr2", 0, cpu->cr2);
	see(outcome, "cr3", 0, cpu->cr3);
	see(outcome, "cr4", 0, cpu->cr4);
	see(outcome, "xcr0", 0, cpu->xcr0);
	see(outcome, "efer", 0, cpu->efer);
	see(outcome, "keys", 0, (uint64_t)cpu->pkru << 32 | cpu->pkrs);
	see(outcome, "dr6", 0, cpu->dr6);
	see(outcome, "dr7", 0, cpu->dr7);
	see(outcome, "cpl", 0, cpu->cpl);
	see(outcome, "activity", 0, cpu->activity);
	see(outcome, "halted", 0, cpu->halted);
	see(outcome, "branches", 0, cpu->branches);
	SEE(outcome, cpu->dr);
	SEE(outcome, cpu->pdpte);
	SEE(outcome, cpu->cet);
	SEE(outcome, cpu->mpx);
	SEE(outcome, cpu->xsave_area);
	SEE(outcome, cpu->msrs);
	SEE(outcome, cpu->lbr);
}

static void see_msrs(struct outcome_words *outcome, struct cpu *cpu)
{
	static const uint32_t first[] = { 0, 0xc0000000 };

	for (unsigned range = 0; range < 2; range++)
		for (uint32_t msr = first[range]; msr < first[range] + 0x1000; msr++) {
			uint64_t value;

			if (cpu_rdmsr(cpu, msr, &value))
				see(outcome, "msr", msr, value);
		}
}

static void see_vmx(struct outcome_words *outcome, struct cpu *cpu)
{
	const char *failure = vmx_last_failure(cpu);

	see(outcome, "exits", 0, cpu->vmx->exits);
	see(outcome, "entries", 0, cpu->vmx->entries);
	see(outcome, "non-root", 0, cpu->vmx->nonroot);
	see(outcome, "current VMCS", 0, cpu->vmx->current);
	SEE(outcome, cpu->vmx->exit_counts);
	see_bytes(outcome, "failed entry", failure, strlen(failure));
}

/* What decides about misses, and so about time. */
static void see_caches(struct outcome_words *outcome, const struct cpu *cpu)
{
	see(outcome, "spaces made", 0, cpu->mmu.spaces->next_id);
	see(outcome, "tags given out", 0, cpu->mmu.spaces->next_tag);
	see(outcome, "uses of spaces", 0, cpu->mmu.spaces->clock);
	see(outcome, "blocks built", 0, cpu->blocks->built);
	see(outcome, "blocks dropped", 0, cpu->blocks->dropped);
}

static void see_devices(struct outcome_words *outcome, struct machine *machine)
{
	static const uint16_t ports[] = {0x20,	0x21,  0xa0,  0xa1,  0x40,  0x41,  0x42,  0x61,
					 0x64,	0x70,  0x71,  0x92,  0x3f8, 0x3f9, 0x3fa, 0x3fb,
					 0x3fc, 0x3fd, 0x3fe, 0x3ff, 0x4d0, 0x4d1, 0x600, 0x602,
					 0x604, 0x608, 0xcf8, 0xcf9, 0xcfc};

	for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		see(outcome, "port", ports[i], machine_port_read(machine, ports[i], 1));
	for (unsigned at = 0x20; at < 0x400; at += 0x10)
		see(outcome, "local APIC", at, lapic_mmio_read(machine->lapic, at));
	for (unsigned at = 0; at < 0x160; at += 8)
		see(outcome, "HPET", at, machine_mmio_read(machine, 0xfed00000 + at, 8));
	for (unsigned i = 0; i < 64; i++) {
		machine_mmio_write(machine, 0xfec00000, 4, i);
		see(outcome, "I/O APIC", i, machine_mmio_read(machine, 0xfec00010, 4));
	}
}

/* A word for each page. */
static void see_memory(struct outcome_words *outcome, const struct memory *memory)
{
	for (uint64_t page = 0; page < memory->low_size; page += PAGE_SIZE) {
		const uint64_t *words = (const uint64_t *)(const void *)(memory->low + page);
		uint64_t digest = FNV_OFFSET;

		for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
			digest = (digest ^ words[i]) * FNV_PRIME;
		see(outcome, "memory", page, digest);
	}
}

void outcome_read(struct outcome_words *outcome, struct machine *machine)
{
	outcome->count = 0;
	see_run(outcome, machine);
	see_registers(outcome, machine->cpu);
	see_msrs(outcome, machine->cpu);
	see_vmx(outcome, machine->cpu);
	see_caches(outcome, machine->cpu);
	see_memory(outcome, &machine->memory);
	see_devices(outcome, machine);
}
