/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Ends: a guest's mistake ends the guest with a report, a broken invariant of ours is a panic, and
 * what can't be run is refused. Each tells COM1 what happened and the exit port which it was, then
 * asks ACPI for power-off where the machine has no exit port.
 */
#include "l0/hv/acpi.h"
#include "l0/hv/hv.h"
#include "l0/hv/hw.h"
#include "l0/hv/log.h"

#define REPORT_RECENT 64

_Noreturn static void stop(enum hv_end end)
{
	log_flush();
	hw_out8(EXIT_PORT, (uint8_t)end);
	acpi_power_off();
	hw_halt_forever();
}

static const struct {
	const char *name;
	enum vmcs_field field;
} report_fields[] = {
#define REPORT(field) {#field, VMCS_##field},
#include "l0/hv/report.def"
#undef REPORT
};

void hv_report_guest(const struct vcpu *vcpu)
{
	static const char *const names[REG_COUNT] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
						     "rsi", "rdi", "r8",  "r9",	 "r10", "r11",
						     "r12", "r13", "r14", "r15"};
	uint64_t value;

	for (unsigned i = 0; i < sizeof(report_fields) / sizeof(report_fields[0]); i++) {
		if (hw_try_vmread(report_fields[i].field, &value))
			console_print("  %s = %lx\n", report_fields[i].name, value);
	}
	for (unsigned i = 0; i < REG_COUNT; i++)
		if (i != REG_RSP)
			console_print("  %s = %016lx\n", names[i], vcpu->regs.gpr[i]);
}

static void report_counts(const struct vcpu *vcpu)
{
	for (unsigned i = 0; i < HV_EXIT_COUNTERS; i++) {
		const char *name = vmx_exit_reason_name(i);

		if (vcpu->exits[i])
			console_print("  %lu exits %s\n", vcpu->exits[i], name ? name : "?");
	}
}

/* The newest last; the same in a row on one line. */
static void report_recent(const struct vcpu *vcpu)
{
	uint64_t total = 0;
	unsigned repeats = 0;

	for (unsigned i = 0; i < HV_EXIT_COUNTERS; i++)
		total += vcpu->exits[i];
	console_print("  the last of %lu exits:\n", total);
	for (unsigned left = (unsigned)smaller(total, REPORT_RECENT); left; left--) {
		uint32_t reason = vcpu->recent[(uint8_t)(vcpu->recent_next - left)];
		uint32_t next = vcpu->recent[(uint8_t)(vcpu->recent_next - left + 1)];
		const char *name = vmx_exit_reason_name(reason & EXIT_REASON_BASIC);

		repeats++;
		if (left > 1 && reason == next)
			continue;
		console_print("  %u times %s%s\n", repeats, name ? name : "?",
			      reason & EXIT_REASON_ENTRY_FAILURE ? " (VM entry failed)" : "");
		repeats = 0;
	}
}

_Noreturn void hv_end_guest(struct vcpu *vcpu, const char *why)
{
	uint32_t reason = (uint32_t)hw_vmread(VMCS_EXIT_REASON);
	const char *name = vmx_exit_reason_name(reason & EXIT_REASON_BASIC);

	console_print("\nabyme: level %u ends its guest: %s\n", hv.machine.level, why);
	console_print("  exit %u %s%s\n", reason & EXIT_REASON_BASIC, name ? name : "?",
		      reason & EXIT_REASON_ENTRY_FAILURE ? " (VM entry failed)" : "");
	hv_report_guest(vcpu);
	report_counts(vcpu);
	report_recent(vcpu);
	log_report();
	log_end(vcpu);
	stop(HV_END_GUEST);
}

_Noreturn void hv_panic(const char *format, ...)
{
	va_list args;

	console_print("\nabyme: panic at level %u: ", hv.machine.level);
	va_start(args, format);
	console_vprint(format, args);
	va_end(args);
	console_print("\n");
	stop(HV_END_PANIC);
}

_Noreturn void hv_refuse(const char *format, ...)
{
	va_list args;

	console_print("abyme: ");
	va_start(args, format);
	console_vprint(format, args);
	va_end(args);
	console_print("\n");
	stop(HV_END_REFUSED);
}
