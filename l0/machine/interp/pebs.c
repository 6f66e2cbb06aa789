/* SPDX-License-Identifier: BSD-2-Clause
 *
 * PEBS records: their layout, and the DS save area that says where they go. All addresses are
 * looked up before the first byte is written.
 */
#include "l0/machine/interp/pebs.h"

#include <string.h>

#include "l0/machine/interp/canonical.h"
#include "l0/machine/interp/cost.h"
#include "l0/machine/interp/mmu.h"
#include "l0/machine/interp/perf.h"
#include "l0/machine/interp/profile.h"
#include "l0/machine/interp/rtm.h"
#include "l0/machine/interp/simd/simd.h"

/* DS save area, SDM 3B "64 Bit Format of the DS Save Area"; with DTES64 in every mode */
enum {
	DS_PEBS_BASE = 0x20,
	DS_PEBS_INDEX = 0x28,
	DS_PEBS_MAXIMUM = 0x30,
	DS_PEBS_THRESHOLD = 0x38,
	DS_RESET_GENERAL = 0x40, /* eight of them */
	DS_RESET_FIXED = 0x80,
	DS_END = DS_RESET_FIXED + 8 * FIXED_COUNTERS,
};

#define CFG_MEMORY BIT64(0)
#define CFG_GPRS BIT64(1)
#define CFG_XMMS BIT64(2)
#define CFG_LBRS BIT64(3)
#define CFG_LBR_SHIFT 24

/* The groups, in 8-byte words. */
enum { BASIC = 4, MEMORY = 4, GPRS = 18, XMMS = 32, LBR = 3 };
#define RECORD_MOST (BASIC + MEMORY + GPRS + XMMS + LBR * LBR_MAX)

struct record {
	uint64_t word[RECORD_MOST];
	unsigned count;
};

/* ---- memory: looked up, then copied ---- */

#define ACCESS MEM_IMPLICIT_SUPERVISOR

/* Of what lies on one page, as much as `size` says. Raises what the access raises. */
static uint64_t physical(struct cpu *cpu, uint64_t linear, unsigned access)
{
	uint64_t hpa;

	(void)lin_to_host(cpu, linear, access | ACCESS, &hpa);
	return hpa;
}

static void look_up(struct cpu *cpu, uint64_t linear, unsigned size)
{
	(void)physical(cpu, linear, MEM_WRITE);
	(void)physical(cpu, linear + size - 1, MEM_WRITE);
}

static uint64_t load(struct cpu *cpu, uint64_t linear)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < 8; i++)
		value |= phys_read(cpu, physical(cpu, linear + i, MEM_READ), 1) << 8 * i;
	return value;
}

static void store(struct cpu *cpu, uint64_t linear, uint64_t value)
{
	for (unsigned i = 0; i < 8; i++)
		phys_write(cpu, physical(cpu, linear + i, MEM_WRITE), 1, value >> 8 * i & 0xff);
}

static bool usable(const struct cpu *cpu, uint64_t linear, uint64_t size)
{
	return cpu_canonical(cpu, linear) && cpu_canonical(cpu, linear + size - 1) &&
	       linear + size > linear;
}

/* ---- the record ---- */

static void add(struct record *record, uint64_t word)
{
	record->word[record->count++] = word;
}

static void add_gprs(const struct cpu *cpu, struct record *record)
{
	static const uint8_t order[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
					REG_RSI, REG_RDI, 8, 9, 10, 11, 12, 13, 14, 15};

	add(record, cpu_rflags(cpu));
	add(record, cpu_rip(cpu));
	for (unsigned i = 0; i < sizeof(order); i++)
		add(record, cpu->gpr[order[i]]);
}

static void add_xmms(const struct cpu *cpu, struct record *record)
{
	memcpy(&record->word[record->count], cpu->xsave_area + AREA_XMM, 8 * XMMS);
	record->count += XMMS;
}

/* The newest first. */
static void add_lbrs(const struct cpu *cpu, struct record *record)
{
	unsigned depth = cpu->profile->lbr_depth;
	unsigned entries = (cpu->msrs.pebs_data_cfg >> CFG_LBR_SHIFT & (LBR_MAX - 1)) + 1;

	for (unsigned i = 0; i < entries; i++) {
		unsigned at = (unsigned)(cpu->lbr.tos + depth - i % depth) % depth;

		add(record, i < depth ? cpu->lbr.from[at] : 0);
		add(record, i < depth ? cpu->lbr.to[at] : 0);
		add(record, i < depth ? cpu->lbr.info[at] : 0);
	}
}

/* Has one of the counters its adaptive-record bit? Otherwise MSR_PEBS_DATA_CFG is ignored. */
static bool adaptive(const struct cpu *cpu, uint64_t counters)
{
	for (unsigned i = 0; i < GENERAL_COUNTERS; i++)
		if ((counters >> i & 1) && (cpu->msrs.perfevtsel[i] & EVTSEL_ADAPTIVE))
			return true;
	for (unsigned i = 0; i < FIXED_COUNTERS; i++)
		if ((counters >> (32 + i) & 1) && (cpu->msrs.fixed_ctr_ctrl >> (32 + 4 * i) & 1))
			return true;
	return false;
}

/* No event that is counted here has a memory access of its own: that group is zeros. */
static void build(struct cpu *cpu, uint64_t counters, struct record *record)
{
	uint64_t cfg = adaptive(cpu, counters) ? cpu->msrs.pebs_data_cfg : 0;

	add(record, cfg);
	add(record, cpu->pebs.rip);
	add(record, counters);
	add(record, vmx_guest_tsc(cpu, cpu_tsc(cpu)));
	for (unsigned i = 0; i < MEMORY && (cfg & CFG_MEMORY); i++)
		add(record, 0);
	if (cfg & CFG_GPRS)
		add_gprs(cpu, record);
	if (cfg & CFG_XMMS)
		add_xmms(cpu, record);
	if (cfg & CFG_LBRS)
		add_lbrs(cpu, record);
	record->word[0] |= (uint64_t)record->count * 8 << 48;
}

/* ---- the assist ---- */

static void reload(struct cpu *cpu, uint64_t ds, uint64_t counters)
{
	for (unsigned i = 0; i < GENERAL_COUNTERS; i++)
		if (counters >> i & 1)
			perf_set_counter(cpu, FIXED_COUNTERS + i,
					 load(cpu, ds + DS_RESET_GENERAL + 8 * i));
	for (unsigned i = 0; i < FIXED_COUNTERS; i++)
		if (counters >> (32 + i) & 1)
			perf_set_counter(cpu, i, load(cpu, ds + DS_RESET_FIXED + 8 * i));
}

/* A buffer that is full takes nothing, and nobody is told. */
static void write_record(struct cpu *cpu, uint64_t ds, uint64_t counters)
{
	struct record record = {.count = 0};
	uint64_t index, end;

	build(cpu, counters, &record);
	if (!usable(cpu, ds, DS_END))
		return;
	look_up(cpu, ds, DS_END);
	index = load(cpu, ds + DS_PEBS_INDEX);
	end = index + 8 * record.count;
	if (!usable(cpu, index, 8 * record.count) || end > load(cpu, ds + DS_PEBS_MAXIMUM))
		return;
	look_up(cpu, index, 8 * record.count);
	for (unsigned i = 0; i < record.count; i++)
		store(cpu, index + 8 * i, record.word[i]);
	store(cpu, ds + DS_PEBS_INDEX, end);
	reload(cpu, ds, counters);
	if (end >= load(cpu, ds + DS_PEBS_THRESHOLD)) {
		cpu->msrs.perf_global_status |= PERF_STATUS_OVF_BUF;
		cpu->perf.pmi = true;
	}
}

void pebs_overflow(struct cpu *cpu, uint64_t counters)
{
	cpu->msrs.perf_global_status |= counters;
	cpu->pebs.rip = cpu->pebs.last;
	cpu->attention = true;
}

void pebs_attend(struct cpu *cpu)
{
	uint64_t counters = pebs_due(cpu);

	rtm_interrupted(cpu);
	cpu->msrs.perf_global_status &= ~counters;
	cpu->pebs.writing = counters;
	write_record(cpu, cpu->msrs.ds_area, counters);
	cpu->pebs.writing = 0;
	cpu_charge(cpu, COST_PEBS);
}

bool pebs_postpone(struct cpu *cpu)
{
	bool writing = cpu->pebs.writing;

	cpu->msrs.perf_global_status |= cpu->pebs.writing;
	cpu->pebs.writing = 0;
	return writing;
}
