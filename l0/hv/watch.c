/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The list of watched pages: few (three bitmaps for each of L1's VMCSs), so an array.
 */
#include "l0/hv/watch.h"

#include "l0/hv/ept01.h"
#include "l0/hv/hv.h"
#include "l0/hv/hw.h"

#define WATCH_MAX 48

static struct l1_gpa watched[WATCH_MAX];
static unsigned watched_count;

static bool find(uint64_t page, unsigned *index)
{
	for (*index = 0; *index < watched_count; ++*index)
		if (watched[*index].value == page)
			return true;
	return false;
}

bool watch_page(struct l1_gpa page, uint64_t eptp)
{
	const struct range *range = range_find(page);
	unsigned index;

	if (find(page.value, &index))
		return true;
	if (watched_count == WATCH_MAX || !range || !range->ram ||
	    !machine_has(&hv.machine, VMX_FEATURE_INVEPT))
		return false;
	if (!ept01_protect(page, range->rights & (uint8_t)~EPT_W))
		return false;
	if (!hw_invept(INVEPT_SINGLE, eptp))
		hv_panic("INVEPT of EPT01 failed");
	watched[watched_count++] = page;
	return true;
}

/* More rights need no INVEPT: the violation that brought us here dropped what was cached (SDM 3C
 * "Operations that Invalidate Cached Mappings"). */
bool watch_end(struct l1_gpa gpa)
{
	struct l1_gpa page = {PAGE_BASE(gpa.value)};
	unsigned index;

	if (!find(page.value, &index))
		return false;
	watched[index] = watched[--watched_count];
	return ept01_protect(page, range_find(page)->rights);
}

bool watch_overlaps(struct l1_gpa gpa, uint64_t size)
{
	uint64_t base = gpa.value & ~(size - 1);

	for (unsigned i = 0; i < watched_count; i++)
		if (watched[i].value - base < size)
			return true;
	return false;
}
