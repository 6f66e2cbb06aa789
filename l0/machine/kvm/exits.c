/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Exits to the process: port I/O and MMIO go to the machine's devices, the rest ends the run.
 */
#include "l0/machine/kvm/kvm.h"

#include <stdio.h>
#include <string.h>

#include "shadow/sdm/vmx.h"

/* SDM 3C "Exit Qualification for I/O Instructions" */
#define IO_QUAL_IN BIT64(3)
#define IO_QUAL_STRING BIT64(4)
#define IO_QUAL_PORT 16

static void read_ports(struct machine *machine, const struct kvm_run *run, uint8_t *data)
{
	for (unsigned i = 0; i < run->io.count; i++) {
		uint64_t value = machine_port_read(machine, run->io.port, run->io.size);

		memcpy(data + i * run->io.size, &value, run->io.size);
	}
}

static void on_io(struct kvm_cpu *cpu, uint32_t reason)
{
	struct kvm_run *run = cpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	bool in = run->io.direction == KVM_EXIT_IO_IN;

	kvm_log_exit(cpu, reason,
		     (run->io.size - 1u) | (in ? IO_QUAL_IN : 0) |
			     (run->io.count > 1 ? IO_QUAL_STRING : 0) |
			     (uint64_t)run->io.port << IO_QUAL_PORT,
		     false, 0);
	if (in)
		read_ports(cpu->machine, run, data);
	else
		machine_port_write_run(cpu->machine, run->io.port, run->io.size, data, run->io.count);
}

static void on_mmio(struct kvm_cpu *cpu, uint32_t reason)
{
	struct kvm_run *run = cpu->run;
	uint64_t value = 0;

	kvm_log_exit(cpu, reason,
		     run->mmio.is_write ? EPT_QUAL_WRITE : EPT_QUAL_READ, true,
		     run->mmio.phys_addr);
	if (run->mmio.is_write) {
		memcpy(&value, run->mmio.data, run->mmio.len);
		machine_mmio_write(cpu->machine, run->mmio.phys_addr, run->mmio.len, value);
	} else {
		value = machine_mmio_read(cpu->machine, run->mmio.phys_addr, run->mmio.len);
		memcpy(run->mmio.data, &value, run->mmio.len);
	}
}

static void end(struct kvm_cpu *cpu, uint32_t reason, enum machine_stop why, const char *text)
{
	kvm_log_exit(cpu, reason, 0, false, 0);
	cpu->machine->stop_reason = text;
	machine_stop(cpu->machine, why, 0);
}

/* Only of KVMs that leave HLT to the process. */
static void on_halt(struct kvm_cpu *cpu, uint32_t reason)
{
	if (cpu->run->if_flag)
		kvm_log_exit(cpu, reason, 0, false, 0);
	else
		end(cpu, reason, STOP_HALTED, NULL);
}

static void on_shutdown(struct kvm_cpu *cpu, uint32_t reason)
{
	end(cpu, reason, STOP_TRIPLE_FAULT, NULL);
}

static void on_failed_entry(struct kvm_cpu *cpu, uint32_t reason)
{
	static char text[80];

	snprintf(text, sizeof(text), "the hardware refused the VM entry, reason 0x%llx",
		 cpu->run->fail_entry.hardware_entry_failure_reason);
	end(cpu, reason, STOP_ERROR, text);
}

static void on_internal_error(struct kvm_cpu *cpu, uint32_t reason)
{
	static char text[80];
	bool emulation = cpu->run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION;

	snprintf(text, sizeof(text), "KVM internal error %u%s", cpu->run->internal.suberror,
		 emulation ? ", an instruction that it cannot emulate" : "");
	end(cpu, reason, STOP_ERROR, text);
}

static void on_nothing(struct kvm_cpu *cpu, uint32_t reason)
{
	kvm_log_exit(cpu, reason, 0, false, 0);
}

static const struct exit_row {
	const char *name;
	void (*handle)(struct kvm_cpu *cpu, uint32_t reason);
	uint32_t reason;
} rows[KVM_EXIT_REASONS] = {
#define KVM_EXIT_ROW(name_, text, vmx, handler)                                                    \
	[KVM_EXIT_##name_] = { text, handler, EXIT_REASON_##vmx },
#include "l0/machine/kvm/exits.def"
};

void kvm_handle_exit(struct kvm_cpu *cpu)
{
	static char text[60];
	uint32_t reason = cpu->run->exit_reason;

	if (reason >= KVM_EXIT_REASONS || !rows[reason].handle) {
		snprintf(text, sizeof(text), "KVM exit reason %u, which asks for nothing known",
			 reason);
		cpu->machine->stop_reason = text;
		machine_stop(cpu->machine, STOP_ERROR, 0);
		return;
	}
	cpu->exits[reason]++;
	rows[reason].handle(cpu, rows[reason].reason);
}

void kvm_report_exits(struct cpu *opaque,
		      void (*emit)(void *opaque, const char *reason, uint64_t count), void *to)
{
	const struct kvm_cpu *cpu = kvm_of(opaque);

	for (unsigned i = 0; i < KVM_EXIT_REASONS; i++)
		if (cpu->exits[i])
			emit(to, rows[i].name, cpu->exits[i]);
}
