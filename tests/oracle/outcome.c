/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Outcomes of instructions; outcome.h.
 */
#include "tests/oracle/outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "shadow/sdm/x86.h"

/* The parts of the image that instructions change; pointers to the last x87 instruction, MXCSR_MASK
 * and what is reserved are not among them. */
static const struct {
	const char *name;
	unsigned at, size, stride, count;
} extended[] = {
    {"fcw", 0, 2, 0, 1},    {"fsw", 2, 2, 0, 1},	   {"ftw", 4, 1, 0, 1},
    {"mxcsr", 24, 4, 0, 1}, {"st/mm", 32, 8, 16, 8},	   {"exp", 40, 2, 16, 8},
    {"xmm", 160, 8, 8, 32}, {"ymm", NATIVE_YMM, 8, 8, 32},
};

static uint64_t extended_value(const uint8_t *fx, unsigned part, unsigned i)
{
	uint64_t value = 0;

	memcpy(&value, fx + extended[part].at + i * extended[part].stride, extended[part].size);
	return value;
}

static bool same_extended(const uint8_t *fx, const uint8_t *other)
{
	for (unsigned part = 0; part < sizeof(extended) / sizeof(extended[0]); part++)
		for (unsigned i = 0; i < extended[part].count; i++)
			if (extended_value(fx, part, i) != extended_value(other, part, i))
				return false;
	return true;
}

static void explain_extended(const uint8_t *before, const uint8_t *native, const uint8_t *ours)
{
	for (unsigned part = 0; part < sizeof(extended) / sizeof(extended[0]); part++)
		for (unsigned i = 0; i < extended[part].count; i++) {
			uint64_t was = extended_value(before, part, i),
				 host = extended_value(native, part, i),
				 mine = extended_value(ours, part, i);

			if (was || host != mine)
				print_message("%8s %3u %#18lx %#18lx %#18lx%s\n",
					      extended[part].name, i, was, host, mine,
					      host == mine ? "" : "  <--");
		}
}

void outcome_explain(const struct insn_row *row, const struct insn_instance *instance,
		     const struct outcome *host, const struct outcome *interpreter)
{
	const struct native_state *native = &host->state, *ours = &interpreter->state;

	print_message("%s %s (%s), bytes:", row->mnemonic, row->operands, row->encoding);
	for (unsigned i = 0; i < instance->length; i++)
		print_message(" %02x", instance->bytes[i]);
	print_message("\n%12s %18s %18s %18s\n", "", "before", "host", "interpreter");
	for (unsigned reg = 0; reg < 16; reg++)
		if (native->gpr[reg] != ours->gpr[reg] ||
		    instance->state.gpr[reg] != ours->gpr[reg])
			print_message("%12u %#18lx %#18lx %#18lx\n", reg, instance->state.gpr[reg],
				      native->gpr[reg], ours->gpr[reg]);
	explain_extended(instance->state.fx, native->fx, ours->fx);
	print_message("%12s %#18lx %#18lx %#18lx (undefined %#x)\n", "rflags",
		      instance->state.rflags, native->rflags, ours->rflags, instance->undefined);
	print_message("%12s %#18lx %#18lx %#18lx\n%12s %18s %18d %18d\n", "rip", NATIVE_AT,
		      native->rip, ours->rip, "vector", "", native->vector, ours->vector);
	if (memcmp(host->data, interpreter->data, NATIVE_DATA_SIZE))
		print_message("memory differs\n");
}

/* After a fault, which flags it stored is the handler's business. */
static uint64_t compared_flags(const struct insn_instance *instance,
			       const struct native_state *state)
{
	return state->vector >= 0 ? 0 : (RFLAGS_STATUS | RFLAGS_DF) & ~instance->undefined;
}

bool outcome_same(const struct insn_instance *instance, const struct outcome *outcome,
		  const struct outcome *other)
{
	const struct native_state *a = &outcome->state, *b = &other->state;

	return !memcmp(a->gpr, b->gpr, sizeof(a->gpr)) && same_extended(a->fx, b->fx) &&
	       a->rip == b->rip && a->vector == b->vector &&
	       !((a->rflags ^ b->rflags) & compared_flags(instance, a)) &&
	       !memcmp(outcome->data, other->data, NATIVE_DATA_SIZE);
}

static uint64_t mix(uint64_t digest, uint64_t value)
{
	digest = (digest ^ value) * UINT64_C(0x9fb21c651e98df25);
	return digest ^ digest >> 32;
}

static uint64_t mix_state(uint64_t digest, const struct native_state *state)
{
	for (unsigned reg = 0; reg < 16; reg++)
		digest = mix(digest, state->gpr[reg]);
	for (unsigned part = 0; part < sizeof(extended) / sizeof(extended[0]); part++)
		for (unsigned i = 0; i < extended[part].count; i++)
			digest = mix(digest, extended_value(state->fx, part, i));
	return digest;
}

uint64_t outcome_digest(uint64_t digest, const struct insn_instance *instance,
			const struct outcome *outcome)
{
	const struct native_state *state = &outcome->state;

	digest = mix_state(digest, state);
	digest = mix(digest, state->rip);
	digest = mix(digest, (uint64_t)(int64_t)state->vector);
	digest = mix(digest, state->rflags & compared_flags(instance, state));
	for (unsigned at = 0; at < NATIVE_DATA_SIZE; at += 8) {
		uint64_t before, after;

		memcpy(&before, instance->data + at, 8);
		memcpy(&after, outcome->data + at, 8);
		if (before != after)
			digest = mix(mix(digest, at), after);
	}
	return digest;
}

uint64_t outcome_digest_inputs(uint64_t digest, const struct insn_instance *instance)
{
	uint64_t value;

	for (unsigned i = 0; i < instance->length; i++)
		digest = mix(digest, instance->bytes[i]);
	digest = mix_state(digest, &instance->state);
	digest = mix(digest, instance->state.rflags | (uint64_t)instance->undefined << 32);
	for (unsigned at = 0; at < NATIVE_DATA_SIZE; at += 8) {
		memcpy(&value, instance->data + at, 8);
		digest = mix(digest, value);
	}
	return digest;
}
