/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The six modes of an 8254 counter. A count written at tick t is in the counting element at t + 1
 * ("on the next CLK pulse"); `start` is that tick, d = tick - start:
 *
 *   mode 0  OUT low until d = N, then high
 *   mode 1  as mode 0, from a GATE trigger
 *   mode 2  OUT low at d = N - 1 (mod N), else high
 *   mode 3  OUT high for the first (N + 1) / 2 of every N ticks, counting in twos
 *   mode 4  OUT low at d = N only
 *   mode 5  as mode 4, from a GATE trigger
 */
#include "l0/machine/devices/pit_counter.h"

static bool periodic(const struct pit_counter *counter)
{
	return counter->mode == 2 || counter->mode == 3;
}

static bool triggered(const struct pit_counter *counter)
{
	return counter->mode == 1 || counter->mode == 5;
}

static uint32_t high_half(uint32_t count)
{
	return (count + 1) / 2;
}

/* Ticks since the counting element was loaded; negative before. */
static int64_t elapsed(const struct pit_counter *counter, uint64_t tick)
{
	return counter->held ? (int64_t)counter->held_at : (int64_t)(tick - counter->start);
}

static void load(struct pit_counter *counter, uint32_t count, uint64_t start)
{
	counter->count = count;
	counter->start = start;
	counter->next_count = 0;
	counter->loaded = true;
	counter->held = false;
}

/* Lets a count take over whose time has come. */
static void catch_up(struct pit_counter *counter, uint64_t tick)
{
	if (counter->next_count && periodic(counter) && counter->loaded && !counter->held &&
	    tick >= counter->next_start)
		load(counter, counter->next_count, counter->next_from);
}

/* A count written while a periodic mode runs takes over at the end of the period, in mode 3 of the
 * half-period. */
static void set_next(struct pit_counter *counter, uint64_t tick, uint32_t count)
{
	int64_t d = elapsed(counter, tick);
	uint64_t begin = counter->start + (d < 0 ? 0 : d - d % counter->count);
	uint64_t middle = begin + high_half(counter->count);

	counter->next_count = count;
	counter->next_start = counter->next_from = begin + counter->count;
	if (counter->mode == 3 && tick < middle) {
		counter->next_start = middle;
		counter->next_from = middle - high_half(count);
	}
}

static void new_count(struct pit_counter *counter, uint64_t tick, uint16_t value)
{
	uint32_t count = value;

	if (counter->bcd)
		count = (value >> 12) * 1000 + (value >> 8 & 15) * 100 + (value >> 4 & 15) * 10 +
			(value & 15);
	if (!count)
		count = counter->bcd ? 10000 : 0x10000;
	if (triggered(counter)) {
		counter->next_count = count;
	} else if (periodic(counter) && counter->loaded && !counter->held) {
		set_next(counter, tick, count);
	} else {
		load(counter, count, tick + 1);
		if (!counter->gate) {
			counter->held = true;
			counter->held_at = 0;
		}
	}
}

void pit_counter_control(struct pit_counter *counter, uint64_t tick, uint8_t word)
{
	uint8_t access = word >> 4 & 3;

	if (!access) {
		pit_counter_latch(counter, tick);
		return;
	}
	counter->access = access;
	counter->mode = word >> 1 & 7;
	if (counter->mode > 5) /* 6 and 7 are 2 and 3 */
		counter->mode -= 4;
	counter->bcd = word & 1;
	counter->loaded = counter->held = false;
	counter->next_count = 0;
	counter->write_high = counter->read_high = false;
	counter->latched = counter->status_latched = false;
}

void pit_counter_write(struct pit_counter *counter, uint64_t tick, uint8_t value)
{
	catch_up(counter, tick);
	if (counter->access == 1) {
		new_count(counter, tick, value);
	} else if (counter->access == 2) {
		new_count(counter, tick, value << 8);
	} else if (!counter->write_high) {
		counter->write_low = value;
		counter->write_high = true;
		if (counter->mode == 0) /* "writing the first byte disables counting" */
			counter->loaded = false;
	} else {
		counter->write_high = false;
		new_count(counter, tick, value << 8 | counter->write_low);
	}
}

void pit_counter_gate(struct pit_counter *counter, uint64_t tick, bool gate)
{
	bool rising = gate && !counter->gate;

	catch_up(counter, tick);
	if (gate == counter->gate)
		return;
	counter->gate = gate;
	if (triggered(counter)) {
		uint32_t count = counter->next_count ? counter->next_count : counter->count;
		if (rising && count)
			load(counter, count, tick + 1);
	} else if (!counter->loaded) {
		return;
	} else if (!gate) {
		counter->held_at = elapsed(counter, tick) < 0 ? 0 : elapsed(counter, tick);
		counter->held = true;
	} else if (periodic(counter)) {
		load(counter, counter->next_count ? counter->next_count : counter->count, tick + 1);
	} else {
		load(counter, counter->count, tick - counter->held_at);
	}
}

bool pit_counter_out(struct pit_counter *counter, uint64_t tick)
{
	catch_up(counter, tick);
	int64_t d = elapsed(counter, tick);
	if (!counter->loaded)
		return counter->mode != 0;
	switch (counter->mode) {
	case 0:
		return d >= (int64_t)counter->count;
	case 1:
		return d < 0 || d >= (int64_t)counter->count;
	case 2:
		return counter->held || d < 0 || d % counter->count != counter->count - 1;
	case 3:
		return counter->held || d < 0 || d % counter->count < high_half(counter->count);
	default:
		return d != (int64_t)counter->count;
	}
}

static uint64_t next_phase(const struct pit_counter *counter, int64_t d)
{
	uint32_t n = counter->count, p = d % n;
	uint32_t fall = counter->mode == 2 ? n - 1 : high_half(n);

	return p < fall ? d - p + fall : d - p + n;
}

uint64_t pit_counter_next_edge(struct pit_counter *counter, uint64_t tick)
{
	catch_up(counter, tick);
	int64_t d = elapsed(counter, tick), n = counter->count;
	if (!counter->loaded || counter->held)
		return EVENT_NEVER;
	if (d < 0)
		return counter->start;
	if (periodic(counter))
		return counter->start + next_phase(counter, d);
	if (d < n)
		return counter->start + n;
	return counter->mode >= 4 && d == n ? counter->start + n + 1 : EVENT_NEVER;
}

/* The counting element, as a latch command would catch it. */
static uint16_t current(struct pit_counter *counter, uint64_t tick)
{
	catch_up(counter, tick);
	int64_t d = elapsed(counter, tick);
	uint32_t n = counter->count, modulus = counter->bcd ? 10000 : 0x10000, value = n;
	if (!counter->loaded || d < 0)
		return n;
	if (counter->mode == 2)
		value = n - d % n;
	else if (counter->mode == 3) {
		uint32_t p = d % n, high = high_half(n);
		value = (n & ~1u) - 2 * (p < high ? p : p - high);
	} else {
		value = (n + modulus - d % modulus) % modulus;
	}
	if (!counter->bcd)
		return value;
	return value / 1000 % 10 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 | value % 10;
}

void pit_counter_latch(struct pit_counter *counter, uint64_t tick)
{
	if (counter->latched)
		return;
	counter->latch = current(counter, tick);
	counter->latched = true;
}

void pit_counter_latch_status(struct pit_counter *counter, uint64_t tick)
{
	bool out = pit_counter_out(counter, tick);
	bool null_count = !counter->loaded || counter->next_count || elapsed(counter, tick) < 0;

	if (counter->status_latched)
		return;
	counter->status = out << 7 | null_count << 6 | counter->access << 4 | counter->mode << 1 |
			  counter->bcd;
	counter->status_latched = true;
}

uint8_t pit_counter_read(struct pit_counter *counter, uint64_t tick)
{
	if (counter->status_latched) {
		counter->status_latched = false;
		return counter->status;
	}
	uint16_t value = counter->latched ? counter->latch : current(counter, tick);
	bool high = counter->access == 2 || (counter->access == 3 && counter->read_high);
	if (counter->access == 3)
		counter->read_high = !counter->read_high;
	/* A latch holds until it has been read: both bytes of a pair. */
	if (counter->access != 3 || high)
		counter->latched = false;
	return high ? value >> 8 : value;
}
