/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The PC: RAM, port and MMIO space, the event queue, the interrupt controllers, and one CPU behind
 * struct cpu_ops. Devices know this header and nothing of the CPU's inside; a CPU backend knows
 * this header and nothing of the devices' insides.
 */
#ifndef L0_MACHINE_MACHINE_H
#define L0_MACHINE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "l0/machine/events.h"

struct context; /* debug/context.h */
struct cpu;
struct machine;

/* Guest-visible clock rates. The TSC counts machine time; everything else derives from it. */
#define MACHINE_HZ UINT64_C(1000000000)
/* Input clock of the local APIC timer before its divider: the crystal is the TSC's clock. */
#define LAPIC_TIMER_HZ MACHINE_HZ
#define PCI_HOLE_START UINT64_C(0xc0000000)
#define PCI_HOLE_END UINT64_C(0x100000000)

/* RAM is [0, low_size) and [4 GiB, 4 GiB + high_size), one host mapping each. */
struct memory {
	uint8_t *low;
	uint8_t *high;
	uint64_t low_size;
	uint64_t high_size;
};

/* Host pointer to the RAM byte at `hpa`, valid to the end of its 4 KiB page; NULL: no RAM there. */
static inline uint8_t *memory_at(const struct memory *memory, uint64_t hpa)
{
	if (hpa < memory->low_size)
		return memory->low + hpa;
	if (hpa >= PCI_HOLE_END && hpa - PCI_HOLE_END < memory->high_size)
		return memory->high + (hpa - PCI_HOLE_END);
	return NULL;
}

/* RAM of `size` bytes (a multiple of 4 KiB, at most MEMORY_MAX), zeroed; host memory is taken as
 * the guest touches it. False: out of that range, or not enough host address space. */
#define MEMORY_MAX (UINT64_C(256) << 30)
bool memory_init(struct memory *memory, uint64_t size) __attribute__((warn_unused_result));
void memory_free(struct memory *memory);
/* Zeroes all of it, by giving back what was touched. */
void memory_clear(struct memory *memory);
/* Copies within RAM; false if any byte is outside it. */
bool memory_read(const struct memory *memory, uint64_t hpa, void *to, size_t length);
bool memory_write(struct memory *memory, uint64_t hpa, const void *from, size_t length);

/* Why a run ended. */
enum machine_stop {
	STOP_NONE,
	STOP_POWER_OFF,    /* ACPI S5 */
	STOP_EXIT_PORT,    /* write to 0xf4: stop_value holds it */
	STOP_RESET,        /* keyboard-controller or 0xcf9 reset: the run ends here */
	STOP_TRIPLE_FAULT, /* shutdown in VMX root or outside VMX */
	STOP_INSN_LIMIT,
	STOP_HALTED,       /* HLT with interrupts off and nothing that could wake it */
	STOP_VMX_ABORT,
	STOP_GUARD,        /* VMX non-root operation reached guarded memory (guard.h) */
	STOP_HANG,         /* no progress, hang.h */
	STOP_USER,         /* Ctrl-A X, SIGINT, SIGTERM */
	STOP_ERROR,        /* backend failure, message printed */
};

/* A range of ports or of MMIO addresses. size is 1, 2, 4 (or 8 for MMIO) bytes; wider accesses
 * than max_size (0: no limit), and those that leave the range, arrive in pieces, lowest address
 * first. */
struct region {
	uint64_t base, length;
	unsigned max_size;
	uint64_t (*read)(void *opaque, uint64_t offset, unsigned size);
	void (*write)(void *opaque, uint64_t offset, unsigned size, uint64_t value);
	/* Optional, for ports: `count` elements of `size` <= max_size bytes, in memory order, to
	 * the one port. */
	void (*write_run)(void *opaque, uint64_t offset, unsigned size, const uint8_t *elements,
			  uint64_t count);
	bool fast; /* an access takes no time of the CPU's: not a device that a PC has */
	void *opaque;
	struct region *next;
};

/* What the machine needs of a CPU backend. */
struct cpu_boot_state; /* l0/machine/boot.h */
struct cpu_stats {
	uint64_t instructions; /* retired, all levels; 0: not counted (kvm) */
	uint64_t cycles;       /* modelled (interp), or host time at MACHINE_HZ (kvm) */
};
struct cpu_ops {
	const char *name;
	/* profile: the text of --cpu, NULL for the default (kvm has no other). NULL: refused, one
	 * line printed. */
	struct cpu *(*create)(struct machine *machine, const char *profile);
	void (*destroy)(struct cpu *cpu);
	/* Optional. As create left it, down to what only shows in virtual time. */
	void (*power_cycle)(struct cpu *cpu);
	/* False: this CPU cannot start so, one line printed. */
	bool (*boot)(struct cpu *cpu, const struct cpu_boot_state *state);
	/* Runs until machine->stop is set. */
	void (*run)(struct cpu *cpu);
	/* Current virtual time in cycles, exact to the instruction being executed. */
	uint64_t (*now)(struct cpu *cpu);
	/* Something that the CPU looks at between instructions has changed: an interrupt line, the
	 * earliest event, machine->stop. Async-signal-safe. */
	void (*poke)(struct cpu *cpu);
	void (*nmi)(struct cpu *cpu);
	void (*init)(struct cpu *cpu);
	void (*sipi)(struct cpu *cpu, uint8_t vector);
	void (*stats)(struct cpu *cpu, struct cpu_stats *stats);
	/* Optional. machine->a20_off has changed. */
	void (*a20_changed)(struct cpu *cpu);
	/* Optional. Calls `emit` once per exit reason that occurred, in ascending order. */
	void (*report_exits)(struct cpu *cpu,
			     void (*emit)(void *opaque, const char *reason, uint64_t count),
			     void *opaque);
	/* Optional. Which check the last failed VM entry failed, with fields and values; NULL or
	 * "": none. */
	const char *(*last_failure)(struct cpu *cpu);
	/* Optional. Prints profiles and features for `--cpu help`. */
	void (*list_profiles)(void);
	/* Optional. Whether this host can run hypervisors so; `why` says it in one line either way.
	 */
	bool (*probe)(char *why, size_t size);
	/* Optional. In VMX non-root operation; the registers, for onlookers. */
	bool (*in_guest)(const struct cpu *cpu);
	void (*context)(const struct cpu *cpu, struct context *context);
	/* Optional, for a debugger, between instructions: takes general registers, RIP and RFLAGS
	 * (false: refused); memory has been written behind the CPU's back. */
	bool (*set_context)(struct cpu *cpu, const struct context *context);
	void (*memory_written)(struct cpu *cpu, uint64_t hpa, unsigned size);
	/* Optional. The interrupt controllers are the backend's own: the level of a line. */
	void (*irq)(struct cpu *cpu, unsigned gsi, bool level);
};
extern const struct cpu_ops interp_cpu_ops;
extern const struct cpu_ops kvm_cpu_ops;

struct allocation;
struct console;
struct ioapic;
struct lapic;
struct levels;
struct pic;
struct hits;            /* hits.h: instructions counted by address; NULL when off */
struct gdb;
struct hang;
struct watch;
struct trap_log_writer; /* traces/: the machine's own log; NULL when off */

struct machine {
	struct memory memory;
	struct event_queue events;
	struct region *ports;
	struct region *mmio;
	const struct cpu_ops *cpu_ops;
	struct cpu *cpu;
	struct lapic *lapic;
	struct pic *pic;
	struct ioapic *ioapic;
	struct console *console;
	struct allocation *allocations; /* machine_alloc */
	bool legacy_replaced; /* the HPET drives IRQ 0 and 8 in place of the 8254 and the RTC */
	uint64_t guard_base, guard_end; /* memory that non-root operation must never reach, guard.h */
	unsigned a20_off;       /* enum a20_source bits; with every one set, address line 20 is 0 */
	bool ignne; /* IGNNE#: the CPU ignores x87 errors while CR0.NE = 0 */
	uint64_t max_insns;     /* 0: no limit */
	struct trap_log_writer *log;
	struct gdb *gdb;       /* gdb/gdb.h; NULL: no debugger */
	struct watch *watch;   /* debug/watch.h: events told as they happen; NULL: none */
	struct levels *levels; /* which guest runs (levels.h); NULL: nobody asks */
	struct hang *hang; /* hang.h: whether anything makes progress; NULL: nobody asks */
	struct hits *hits;
	volatile enum machine_stop stop;
	uint32_t stop_value;
	const char *stop_reason; /* one line, or NULL */
};

/* RAM and every device, without CPU; machine_free undoes it. serial: file for COM1, NULL for stdio.
 * False: one line has been printed. */
bool machine_init(struct machine *machine, uint64_t ram_size, const char *serial)
	__attribute__((warn_unused_result));
void machine_free(struct machine *machine);
/* Power off and on again: RAM zeroed, every device and the CPU as machine_init and cpu_ops->create
 * left them, nothing scheduled, no limit, nobody looking on. False: this CPU backend cannot. */
bool machine_power_cycle(struct machine *machine) __attribute__((warn_unused_result));
/* Zeroed memory that lives as long as the machine; ends the process when the host has none. */
void *machine_alloc(struct machine *machine, size_t size);

void machine_add_ports(struct machine *machine, struct region *region);
void machine_add_mmio(struct machine *machine, struct region *region);

/* Port I/O and MMIO by the CPU. Absent ports and addresses read as all ones. */
uint64_t machine_port_read(struct machine *machine, uint16_t port, unsigned size);
void machine_port_write(struct machine *machine, uint16_t port, unsigned size, uint64_t value);
bool machine_port_is_fast(const struct machine *machine, uint16_t port);
/* As `count` writes to the same port, of elements as they lie in memory. */
void machine_port_write_run(struct machine *machine, uint16_t port, unsigned size,
			    const uint8_t *elements, uint64_t count);
uint64_t machine_mmio_read(struct machine *machine, uint64_t hpa, unsigned size);
void machine_mmio_write(struct machine *machine, uint64_t hpa, unsigned size, uint64_t value);

static inline uint64_t machine_now(struct machine *machine)
{
	return machine->cpu_ops->now(machine->cpu);
}
/* Schedules and tells the CPU that its deadline may have moved. */
void machine_schedule(struct machine *machine, struct event *event, uint64_t when);
void machine_cancel(struct machine *machine, struct event *event);
/* Ends the run after the current instruction. The first call wins. Async-signal-safe. */
void machine_stop(struct machine *machine, enum machine_stop why, uint32_t value);
/* Tells the CPU to look at interrupts and events before its next instruction. */
void machine_poke(struct machine *machine);

/* Address line 20: on while any of its sources is. What is translated must be translated again. */
enum a20_source { A20_KEYBOARD = 1, A20_PORT92 = 2, A20_SOURCES = 3 };
void machine_set_a20(struct machine *machine, enum a20_source source, bool on);
static inline uint64_t machine_a20(const struct machine *machine, uint64_t hpa)
{
	return machine->a20_off == A20_SOURCES ? hpa & ~(UINT64_C(1) << 20) : hpa;
}

/* Level of an interrupt line: 0-15 are the ISA IRQs, seen by the PICs and the IOAPIC (IRQ 0 at pin
 * 2); 16 and up are IOAPIC pins. */
void irq_set(struct machine *machine, unsigned gsi, bool level);
/* FERR#: an x87 error that CR0.NE = 0 leaves to the board (devices/fpu_port.c). */
void machine_fpu_error(struct machine *machine);

/* The same for the 8254 and the RTC: silent while the HPET takes their place. */
void irq_set_timer(struct machine *machine, unsigned gsi, bool level);

/* External interrupts as the CPU sees them: the local APIC's highest deliverable vector, or the PIC
 * through LINT0. pending: something would be delivered now if the CPU allowed it. ack: takes it and
 * returns its vector. */
bool machine_interrupt_pending(struct machine *machine);
uint8_t machine_interrupt_ack(struct machine *machine);

/* Local APIC, l0/machine/devices/lapic.c. */
bool lapic_msr_read(struct lapic *lapic, uint32_t msr, uint64_t *value);  /* false: #GP */
bool lapic_msr_write(struct lapic *lapic, uint32_t msr, uint64_t value); /* false: #GP */
uint8_t lapic_cr8(const struct lapic *lapic);
void lapic_set_cr8(struct lapic *lapic, uint8_t cr8);
uint64_t lapic_base(const struct lapic *lapic);        /* IA32_APIC_BASE */
bool lapic_set_base(struct lapic *lapic, uint64_t value); /* false: #GP */
uint64_t lapic_deadline(const struct lapic *lapic);    /* IA32_TSC_DEADLINE, in TSC units */
/* tsc_now: the TSC value now; the timer fires when the TSC reaches `deadline`. 0 disarms. */
void lapic_set_deadline(struct lapic *lapic, uint64_t deadline, uint64_t tsc_now);
/* The xAPIC page, 4 KiB at lapic_base() while the xAPIC is enabled. */
uint32_t lapic_mmio_read(struct lapic *lapic, unsigned offset);
void lapic_mmio_write(struct lapic *lapic, unsigned offset, uint32_t value);

#endif
