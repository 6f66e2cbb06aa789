/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Words for a record. Layouts of the qualifications: SDM 3C "Basic VM-Exit Information".
 */
#include "traces/describe.h"

#include <inttypes.h>
#include <stdio.h>

#include "shadow/sdm/vmx.h"

const char *trap_stream_name(uint16_t stream)
{
	static _Thread_local char name[16];

	if (stream == TRAP_LOG_MACHINE)
		return "machine";
	snprintf(name, sizeof(name), "L%u", stream);
	return name;
}

const char *trap_path_name(uint8_t path)
{
	static const char *const names[TRAP_PATH_COUNT] = {"101", "201", "202", "cpu", "mark"};

	return path < TRAP_PATH_COUNT ? names[path] : "?";
}

const char *trap_who_name(uint8_t path, uint8_t level)
{
	static _Thread_local char name[8];

	if (path != TRAP_PATH_MACHINE || !level)
		return trap_path_name(path);
	snprintf(name, sizeof(name), "L%u", level);
	return name;
}

const char *trap_reason_name(uint32_t reason)
{
	static _Thread_local char number[24];
	const char *name = vmx_exit_reason_name(reason & EXIT_REASON_BASIC);

	if (name)
		return name;
	if (reason == TRAP_MARK_REASON)
		return "MARK";
	snprintf(number, sizeof(number), "REASON_%" PRIu32, reason & EXIT_REASON_BASIC);
	return number;
}

static const char *const gpr_names[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					  "r8",	 "r9",	"r10", "r11", "r12", "r13", "r14", "r15"};

static void describe_cr(const struct trap_record *record, char *text, size_t size)
{
	unsigned cr = record->qualification & 15;
	const char *gpr = gpr_names[record->qualification >> 8 & 15];

	switch (record->qualification >> 4 & 3) {
	case CR_ACCESS_MOV_TO:
		snprintf(text, size, "mov cr%u, %s", cr, gpr);
		break;
	case CR_ACCESS_MOV_FROM:
		snprintf(text, size, "mov %s, cr%u", gpr, cr);
		break;
	case CR_ACCESS_CLTS:
		snprintf(text, size, "clts");
		break;
	default:
		snprintf(text, size, "lmsw 0x%04" PRIx64, record->qualification >> 16 & 0xffff);
	}
}

static void describe_dr(const struct trap_record *record, char *text, size_t size)
{
	unsigned dr = record->qualification & 7;
	const char *gpr = gpr_names[record->qualification >> 8 & 15];

	if (record->qualification & BIT64(4))
		snprintf(text, size, "mov %s, dr%u", gpr, dr);
	else
		snprintf(text, size, "mov dr%u, %s", dr, gpr);
}

static void describe_io(const struct trap_record *record, char *text, size_t size)
{
	uint64_t q = record->qualification;
	bool in = q & BIT64(3);

	snprintf(text, size, "%s%s%s port 0x%04" PRIx64 ", %" PRIu64 " byte%s",
		 q & BIT64(5) ? "rep " : "", in ? "in" : "out", q & BIT64(4) ? "s" : "",
		 q >> 16 & 0xffff, (q & 7) + 1, q & 7 ? "s" : "");
}

static void describe_field(const struct trap_record *record, char *text, size_t size)
{
	int index = vmcs_field_index(record->insn_info);

	if (index >= 0)
		snprintf(text, size, "%s%s", vmcs_fields[index].name,
			 vmcs_field_is_high(record->insn_info) ? " (high)" : "");
	else
		snprintf(text, size, "no such field 0x%" PRIx32, record->insn_info);
}

static void describe_violation(const struct trap_record *record, char *text, size_t size)
{
	uint64_t q = record->qualification;

	snprintf(text, size, "%s%s%s, entry allows %c%c%c%s", q & EPT_QUAL_READ ? "read" : "",
		 q & EPT_QUAL_WRITE ? "write" : "", q & EPT_QUAL_FETCH ? "fetch" : "",
		 q & EPT_QUAL_ENTRY_R ? 'r' : '-', q & EPT_QUAL_ENTRY_W ? 'w' : '-',
		 q & EPT_QUAL_ENTRY_X ? 'x' : '-',
		 q & EPT_QUAL_LINEAR_VALID && !(q & EPT_QUAL_TRANSLATED) ? ", page walk" : "");
}

static void describe_event(const struct trap_record *record, char *text, size_t size)
{
	static const char *const types[8] = {
	    "interrupt",	  "type 1",	"NMI", "exception", "INT n", "privileged exception",
	    "software exception", "other event"};
	uint32_t info = record->interruption;

	if (info & INTR_INFO_VALID)
		snprintf(text, size, "%s, vector %" PRIu32,
			 types[(info & INTR_INFO_TYPE) >> INTR_INFO_TYPE_SHIFT],
			 info & INTR_INFO_VECTOR);
}

static void describe_address(const struct trap_record *record, char *text, size_t size)
{
	snprintf(text, size, "address 0x%" PRIx64, record->qualification);
}

static void describe_apic(const struct trap_record *record, char *text, size_t size)
{
	snprintf(text, size, "offset 0x%03" PRIx64, record->qualification & 0xfff);
}

void trap_record_detail(const struct trap_record *record, char *text, size_t size)
{
	static const struct {
		uint32_t reason;
		void (*describe)(const struct trap_record *, char *, size_t);
	} rows[] = {
		{EXIT_REASON_EXCEPTION_OR_NMI, describe_event},
		{EXIT_REASON_EXTERNAL_INTERRUPT, describe_event},
		{EXIT_REASON_INVLPG, describe_address},
		{EXIT_REASON_VMREAD, describe_field},
		{EXIT_REASON_VMWRITE, describe_field},
		{EXIT_REASON_CR_ACCESS, describe_cr},
		{EXIT_REASON_MOV_DR, describe_dr},
		{EXIT_REASON_IO_INSTRUCTION, describe_io},
		{EXIT_REASON_APIC_ACCESS, describe_apic},
		{EXIT_REASON_APIC_WRITE, describe_apic},
		{EXIT_REASON_EPT_VIOLATION, describe_violation},
	};

	text[0] = '\0';
	if (record->reason & EXIT_REASON_ENTRY_FAILURE) {
		snprintf(text, size, "entry failed, qualification %" PRIu64, record->qualification);
		return;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].reason == (record->reason & EXIT_REASON_BASIC))
			rows[i].describe(record, text, size);
}
