/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Guest RAM: one host mapping, split below and above the PCI hole. Reserved, not committed: a page
 * costs host memory when the guest first touches it.
 */
#include "l0/machine/machine.h"

#include <string.h>
#include <sys/mman.h>

#define RAM_PAGE UINT64_C(4096)

bool memory_init(struct memory *memory, uint64_t size)
{
	memset(memory, 0, sizeof(*memory));
	if (size == 0 || size % RAM_PAGE || size > MEMORY_MAX)
		return false;
	uint8_t *base = mmap(NULL, size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return false;
	memory->low = base;
	memory->low_size = size < PCI_HOLE_START ? size : PCI_HOLE_START;
	memory->high = base + memory->low_size;
	memory->high_size = size - memory->low_size;
	return true;
}

void memory_free(struct memory *memory)
{
	if (memory->low)
		munmap(memory->low, memory->low_size + memory->high_size);
	memset(memory, 0, sizeof(*memory));
}

void memory_clear(struct memory *memory)
{
	uint64_t size = memory->low_size + memory->high_size;

	if (madvise(memory->low, size, MADV_DONTNEED))
		memset(memory->low, 0, size);
}

/* Host pointer to [hpa, hpa + length), NULL unless all of it is RAM. The two parts are never
 * contiguous in guest-physical space, so one part must hold the whole range. */
static uint8_t *ram_range(const struct memory *memory, uint64_t hpa, size_t length)
{
	if (hpa < memory->low_size)
		return length <= memory->low_size - hpa ? memory->low + hpa : NULL;
	if (hpa < PCI_HOLE_END)
		return NULL;
	hpa -= PCI_HOLE_END;
	if (hpa >= memory->high_size || length > memory->high_size - hpa)
		return NULL;
	return memory->high + hpa;
}

bool memory_read(const struct memory *memory, uint64_t hpa, void *to, size_t length)
{
	if (!length)
		return true;
	const uint8_t *from = ram_range(memory, hpa, length);
	if (from)
		memcpy(to, from, length);
	return from;
}

bool memory_write(struct memory *memory, uint64_t hpa, const void *from, size_t length)
{
	if (!length)
		return true;
	uint8_t *to = ram_range(memory, hpa, length);
	if (to)
		memcpy(to, from, length);
	return to;
}
