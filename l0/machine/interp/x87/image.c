/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The x87 part of FXSAVE and XSAVE areas: cpu->xsave_area but for the pointers, which are 64 bits
 * wide or offset and selector, SDM 2 "FXSAVE"; and what follows from a status that is loaded.
 */
#include "l0/machine/interp/x87/x87.h"

#include "l0/machine/interp/profile.h"

/* ---- status ---- */

uint16_t x87_summary(uint16_t fsw, uint16_t fcw)
{
	fsw &= (uint16_t)~(FSW_ES | FSW_B);
	return fsw & ~fcw & SOFT_ALL ? fsw | FSW_ES | FSW_B : fsw;
}

void x87_set_status(struct cpu *cpu, uint16_t fsw, uint16_t fcw)
{
	uint16_t status = x87_summary(fsw, fcw);

	if (status & ~x87_word(cpu, X87_FSW) & FSW_ES)
		cpu->machine->ignne = false;
	x87_set_word(cpu, X87_FSW, status);
}

void x87_loaded(struct cpu *cpu)
{
	uint16_t fcw = (x87_word(cpu, X87_FCW) & FCW_WRITABLE) | FCW_FIXED1;

	x87_set_word(cpu, X87_FCW, fcw);
	x87_set_status(cpu, x87_word(cpu, X87_FSW), fcw);
}

/* ---- pointers ---- */

static void narrow(uint8_t *pointer, uint16_t selector)
{
	memset(pointer + 4, 0, 4);
	memcpy(pointer + 4, &selector, 2);
}

void x87_image_out(const struct cpu *cpu, uint8_t *image, bool wide)
{
	if (wide)
		return;
	narrow(image + X87_FIP, cpu->x87_cs);
	narrow(image + X87_FDP, cpu->x87_ds);
}

static uint16_t widen(uint8_t *pointer, bool selectors)
{
	uint16_t selector = 0;

	if (selectors)
		memcpy(&selector, pointer + 4, 2);
	memset(pointer + 4, 0, 4);
	return selector;
}

void x87_image_loaded(struct cpu *cpu, bool wide)
{
	bool selectors = !cpu_has(cpu->profile, FCS_FDS);

	cpu->x87_cs = cpu->x87_ds = 0;
	if (!wide) {
		cpu->x87_cs = widen(cpu->xsave_area + X87_FIP, selectors);
		cpu->x87_ds = widen(cpu->xsave_area + X87_FDP, selectors);
	}
	x87_loaded(cpu);
}
