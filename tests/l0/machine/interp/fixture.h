/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A CPU with 16 MiB of RAM and nothing else, for tests of single parts. What the parts around would
 * do is faked by weak symbols: an exception or a VM exit is recorded and leaves by longjmp, as the
 * real ones do. Include once, in a test's own file.
 */
#ifndef TESTS_L0_MACHINE_INTERP_FIXTURE_H
#define TESTS_L0_MACHINE_INTERP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "l0/machine/interp/block.h"
#include "l0/machine/interp/insns.h"
#include "l0/machine/interp/mmu.h"
#include "l0/machine/interp/pebs.h"
#include "l0/machine/interp/profile.h"
#include "l0/machine/interp/pt/pt.h"
#include "l0/machine/interp/rtm.h"
#include "l0/machine/interp/sys.h"

#define WEAK __attribute__((weak))
#define RAM_SIZE (UINT64_C(16) << 20)

struct fixture {
	struct cpu cpu;
	struct machine machine;
	struct vmx_state vmx;
	struct cpu_profile profile;
	jmp_buf escape;
};

/* What the fakes saw. */
static struct {
	uint64_t code_page, written_hpa;
	unsigned written, exits, dirty_logged;
	uint64_t exit_gpa, exit_linear, exit_qualification;
	bool exit_linear_valid;
	uint64_t now, retired;
	uint64_t watched; /* linear address with a data breakpoint; 0: none */
	unsigned hits;
	unsigned intercepted;
} seen;

static struct fixture *fixture_new(const char *spec)
{
	struct fixture *f = aligned_alloc(64, (sizeof(*f) + 63) & ~(size_t)63);
	char error[128];

	assert_non_null(f);
	memset(f, 0, sizeof(*f));
	memset(&seen, 0, sizeof(seen));
	seen.code_page = UINT64_MAX;
	assert_true(cpu_profile_parse(spec, &f->profile, error, sizeof(error)));
	f->machine.memory.low = calloc(1, RAM_SIZE);
	f->machine.memory.low_size = RAM_SIZE;
	f->vmx.apic_access = UINT64_MAX;
	f->vmx.tsc_multiplier = UINT64_C(1) << 48;
	f->cpu.profile = &f->profile;
	f->cpu.machine = &f->machine;
	f->cpu.vmx = &f->vmx;
	f->cpu.escape = &f->escape;
	f->machine.cpu = &f->cpu;
	assert_true(mmu_init(&f->cpu));
	return f;
}

static void fixture_free(struct fixture *f)
{
	mmu_free(&f->cpu);
	free(f->machine.memory.low);
	free(f);
}

/* Runs the statement; true if it left by an exception or VM exit. */
#define ESCAPES(f, statement)                                                                      \
	(memset(&(f)->cpu.event, 0, sizeof((f)->cpu.event)), setjmp((f)->escape)                   \
		 ? true                                                                            \
		 : ((void)(statement), false))

static inline void ram_write64(struct fixture *f, uint64_t hpa, uint64_t value)
{
	memcpy(f->machine.memory.low + hpa, &value, 8);
}

static inline uint64_t ram_read64(struct fixture *f, uint64_t hpa)
{
	uint64_t value;

	memcpy(&value, f->machine.memory.low + hpa, 8);
	return value;
}

/* ---- fakes ---- */

static _Noreturn void fake_event(struct cpu *cpu, unsigned vector, bool has_error, uint32_t error)
{
	cpu->event.valid = true;
	cpu->event.vector = (uint8_t)vector;
	cpu->event.has_error = has_error;
	cpu->event.error = error;
	longjmp(*cpu->escape, 1);
}

WEAK void rtm_access(struct cpu *cpu, bool ram, uint64_t hpa, unsigned written)
{
}

WEAK void pt_boundary(struct cpu *cpu)
{
}

WEAK void pt_event(struct cpu *cpu, uint64_t from)
{
}

WEAK void pt_aborted(struct cpu *cpu, uint64_t from)
{
}

WEAK void pt_cpuid(const struct cpu *cpu, uint32_t subleaf, uint32_t out[4])
{
}

WEAK void pt_reset(struct cpu *cpu)
{
}

WEAK uint64_t pt_disable(struct cpu *cpu)
{
	return cpu->pt.msr.ctl;
}

WEAK void pt_ready(struct cpu *cpu)
{
}

WEAK bool pt_in_vmx(const struct cpu *cpu)
{
	return true;
}

WEAK void pt_load_ctl(struct cpu *cpu, uint64_t value)
{
	cpu->pt.msr.ctl = value;
}

WEAK void pt_entering(struct cpu *cpu)
{
}

WEAK void pt_entered(struct cpu *cpu, bool concealed)
{
}

WEAK void pt_exiting(struct cpu *cpu, bool clears)
{
}

WEAK void pt_exited(struct cpu *cpu, bool concealed)
{
}

WEAK void pt_vmcs_loaded(struct cpu *cpu)
{
}

WEAK bool pt_state_valid(const struct cpu *cpu, const uint64_t state[9])
{
	return true;
}

WEAK void pt_restored(struct cpu *cpu)
{
}

WEAK bool pt_msr_read(struct cpu *cpu, uint32_t msr, uint64_t *value)
{
	return false;
}

WEAK bool pt_msr_write(struct cpu *cpu, uint32_t msr, uint64_t value)
{
	return false;
}

WEAK void pebs_overflow(struct cpu *cpu, uint64_t counters)
{
}

WEAK void pebs_attend(struct cpu *cpu)
{
}

WEAK bool pebs_postpone(struct cpu *cpu)
{
	return false;
}

WEAK _Noreturn void rtm_abort_insn(struct cpu *cpu, uint32_t status)
{
	longjmp(*cpu->escape, 1);
}

WEAK _Noreturn void cpu_fault(struct cpu *cpu, enum x86_vector vector)
{
	fake_event(cpu, vector, false, 0);
}

WEAK _Noreturn void cpu_fault_code(struct cpu *cpu, enum x86_vector vector, uint32_t error)
{
	fake_event(cpu, vector, true, error);
}

WEAK _Noreturn void cpu_page_fault(struct cpu *cpu, uint64_t linear, uint32_t error)
{
	cpu->event.cr2 = linear;
	fake_event(cpu, VECTOR_PF, true, error);
}

WEAK void cpu_mode_changed(struct cpu *cpu)
{
}

WEAK void cpu_charge(struct cpu *cpu, uint64_t cycles)
{
	seen.now += cycles;
}

WEAK uint64_t cpu_now(const struct cpu *cpu)
{
	return seen.now;
}

WEAK uint64_t cpu_retired(const struct cpu *cpu)
{
	return seen.retired;
}

WEAK void blocks_written(struct cpu *cpu, uint64_t hpa, unsigned size)
{
	seen.written++;
	seen.written_hpa = hpa;
}

WEAK void blocks_refresh_key(struct cpu *cpu)
{
}

WEAK bool blocks_page_has_code(const struct cpu *cpu, uint64_t hpa)
{
	return PAGE_BASE(hpa) == seen.code_page;
}

WEAK bool blocks_admit_writes(struct cpu *cpu, uint64_t hpa)
{
	return PAGE_BASE(hpa) != seen.code_page;
}

WEAK _Noreturn void vmx_exit_ept_violation(struct cpu *cpu, uint64_t gpa, uint64_t linear,
					   bool linear_valid, uint64_t qualification)
{
	seen.exits++;
	seen.exit_gpa = gpa;
	seen.exit_linear = linear;
	seen.exit_linear_valid = linear_valid;
	seen.exit_qualification = qualification;
	longjmp(*cpu->escape, 2);
}

WEAK _Noreturn void vmx_exit_apic_access(struct cpu *cpu, unsigned offset)
{
	seen.exits++;
	seen.exit_gpa = offset;
	longjmp(*cpu->escape, 4);
}

WEAK _Noreturn void vmx_exit_ept_misconfiguration(struct cpu *cpu, uint64_t gpa)
{
	seen.exits++;
	seen.exit_gpa = gpa;
	longjmp(*cpu->escape, 3);
}

WEAK bool debug_armed(const struct cpu *cpu, uint32_t kinds)
{
	return seen.watched && (kinds & BIT32(DEBUG_ACCESS));
}

WEAK void debug_memory_access(struct cpu *cpu, uint64_t linear, unsigned size, unsigned access)
{
	seen.hits += linear <= seen.watched && seen.watched < linear + size;
}

WEAK void debug_port_access(struct cpu *cpu, uint16_t port, unsigned size)
{
}

WEAK void vmx_log_dirty(struct cpu *cpu, uint64_t gpa)
{
	seen.dirty_logged++;
}

WEAK uint64_t vmx_apic_read(struct cpu *cpu, unsigned offset, unsigned size, uint64_t linear,
			    unsigned access)
{
	return 0xa91c0000u + offset;
}

WEAK void vmx_apic_write(struct cpu *cpu, unsigned offset, unsigned size, uint64_t value,
			 uint64_t linear, unsigned access)
{
	seen.written_hpa = offset;
}

#endif
