/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Levels from VM entries and exits alone.
 */
#include "l0/machine/levels.h"

#include <stddef.h>
#include <string.h>

static bool is_guest(const struct levels_row *row, uint64_t vmcs, uint64_t eptp)
{
	return row->used && row->vmcs == vmcs && row->eptp == eptp;
}

/* The guest's row; else the row to take for it: a free one, or the one used longest ago. */
static struct levels_row *find(struct levels *levels, uint64_t vmcs, uint64_t eptp)
{
	struct levels_row *oldest = &levels->rows[levels->current];

	if (is_guest(oldest, vmcs, eptp))
		return oldest;
	for (unsigned i = 0; i < LEVELS_ROWS; i++) {
		struct levels_row *row = &levels->rows[i];

		if (is_guest(row, vmcs, eptp))
			return row;
		if (row->used < oldest->used)
			oldest = row;
	}
	return oldest;
}

/* What the VMCS held when it was entered last, whatever its EPT pointer. An L1 at least. */
static unsigned last_level(const struct levels *levels, uint64_t vmcs)
{
	uint64_t used = 0;
	unsigned level = 1;

	for (unsigned i = 0; i < LEVELS_ROWS; i++) {
		const struct levels_row *row = &levels->rows[i];

		if (row->vmcs == vmcs && row->used > used) {
			used = row->used;
			level = row->level;
		}
	}
	return level;
}

static struct levels_sum *sum_of(struct levels *levels, unsigned level)
{
	return &levels->sums[level < LEVELS_SUMMED ? level : LEVELS_SUMMED - 1];
}

void levels_settle(struct levels *levels, uint64_t insns)
{
	unsigned level = levels_current(levels);
	uint64_t retired = insns - levels->since;

	levels->since = insns;
	if (levels->in_guest) {
		sum_of(levels, level)->insns += retired;
		return;
	}
	levels->sums[0].insns += retired;
	if (level)
		sum_of(levels, level)->l0_insns += retired;
}

unsigned levels_enter(struct levels *levels, uint64_t vmcs, uint64_t eptp, uint64_t insns)
{
	struct levels_row *row = find(levels, vmcs, eptp);

	levels_settle(levels, insns);
	levels->in_guest = true;
	if (!is_guest(row, vmcs, eptp))
		*row = (struct levels_row){
			.vmcs = vmcs,
			.eptp = eptp,
			.level = levels->launcher ? levels->launcher + 1 : last_level(levels, vmcs),
		};
	row->used = ++levels->entries;
	levels->current = (unsigned)(row - levels->rows);
	/* Its guest, or itself after a VMfail: the instruction is answered. */
	if (row->level >= levels->launcher)
		levels->launcher = 0;
	return row->level;
}

void levels_exit(struct levels *levels, const struct levels_exit *exit,
		 const uint64_t gpr[REG_COUNT])
{
	unsigned level = levels_current(levels);
	struct levels_exit *last = &levels->last[levels->exits++ % LEVELS_LAST];

	levels_settle(levels, exit->insns);
	levels->in_guest = false;
	sum_of(levels, level)->exits[exit->reason]++;
	*last = *exit;
	last->level = level;
	memcpy(levels->rows[levels->current].gpr, gpr, sizeof(levels->rows[0].gpr));
	if ((exit->reason == EXIT_REASON_VMLAUNCH || exit->reason == EXIT_REASON_VMRESUME) &&
	    level > levels->launcher)
		levels->launcher = level;
}

void levels_fail(struct levels *levels, uint32_t reason)
{
	levels->sums[0].exits[reason]++;
}

unsigned levels_current(const struct levels *levels)
{
	return levels->entries ? levels->rows[levels->current].level : 0;
}

void levels_clear(struct levels *levels, uint64_t vmcs)
{
	for (unsigned i = 0; i < LEVELS_ROWS; i++)
		if (levels->rows[i].vmcs == vmcs)
			levels->rows[i].used = 0;
}

/* No other guest was entered in the same VMCS since. */
static bool holds_vmcs(const struct levels *levels, const struct levels_row *row)
{
	for (unsigned i = 0; i < LEVELS_ROWS; i++)
		if (levels->rows[i].vmcs == row->vmcs && levels->rows[i].used > row->used)
			return false;
	return true;
}

const struct levels_row *levels_find(const struct levels *levels, unsigned level)
{
	const struct levels_row *found = NULL;

	for (unsigned i = 0; i < LEVELS_ROWS; i++) {
		const struct levels_row *row = &levels->rows[i];

		if (row->used && row->level == level && (!found || row->used > found->used) &&
		    holds_vmcs(levels, row))
			found = row;
	}
	return found;
}
