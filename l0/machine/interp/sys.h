/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Calls between the files that make up protection: event delivery, segmentation, far transfers,
 * task switches, control and debug registers. The rest of the CPU uses cpu.h.
 */
#ifndef L0_MACHINE_INTERP_SYS_H
#define L0_MACHINE_INTERP_SYS_H

#include "l0/machine/interp/decode.h"
#include "l0/machine/interp/descriptor.h"
#include "l0/machine/interp/op.h"
#include "l0/machine/interp/vmx/vmx.h"

struct cpu_boot_state;

/* ---- reset.c ---- */
/* The state in which a boot loader of the given kind leaves the CPU; starts from cpu_reset. */
void cpu_boot(struct cpu *cpu, const struct cpu_boot_state *state);
/* Starts at vector:0000 in real mode, as a start-up IPI makes an application processor do. */
void cpu_start_up(struct cpu *cpu, uint8_t vector);

/* ---- deliver.c: through the IVT or the IDT; faults leave by cpu_fault* ---- */
void deliver_real(struct cpu *cpu, const struct cpu_event *event);
void deliver_protected(struct cpu *cpu, const struct cpu_event *event);
void deliver_long(struct cpu *cpu, const struct cpu_event *event);
/* INT n in virtual-8086 mode with IOPL or CR4.VME rules; true: delivered through the IVT. */
bool deliver_vm86_redirect(struct cpu *cpu, const struct cpu_event *event);
/* The RIP and RFLAGS that delivery pushes. */
uint64_t event_return_rip(const struct cpu *cpu, const struct cpu_event *event);
uint64_t event_pushed_rflags(const struct cpu *cpu, const struct cpu_event *event);
/* ERROR_EXT unless a software interrupt is being delivered. */
uint32_t event_ext(const struct cpu_event *event);

/* ---- seg.c ---- */
/* Makes the code segment current at privilege `cpl`; sets CPL, not RIP. */
void seg_set_cs(struct cpu *cpu, uint16_t selector, const struct descriptor *d, unsigned cpl);
/* After a return to an outer level: data segments that CPL may not use become null. */
void seg_drop_inner(struct cpu *cpu);
/* The stack for privilege `level` from the TSS, checked: SDM 3A "Stack Switching". In IA-32e mode
 * the segment is null and *ss is unusable. Raises #TS or #SS with `ext`. */
void seg_inner_stack(struct cpu *cpu, unsigned level, uint32_t ext, struct segment *ss,
		     uint64_t *sp);
/* Flat segment register contents that instructions force (SYSCALL, SYSENTER, boot). */
void seg_set_flat_code(struct cpu *cpu, uint16_t selector, unsigned cpl, bool code64);
void seg_set_flat_stack(struct cpu *cpu, uint16_t selector, unsigned cpl);

/* ---- task.c ---- */
enum task_switch_source { TASK_SWITCH_CALL, TASK_SWITCH_IRET, TASK_SWITCH_JMP, TASK_SWITCH_GATE };
/* Switches to the task whose TSS descriptor `d` (already checked for type, DPL and P by the
 * caller's rules) `selector` names. The encoding of `source` is that of the exit qualification.
 * `next_rip` is saved in the old TSS; the error code of `event` (TASK_SWITCH_GATE), if any, is
 * pushed on the new stack. With an instruction as its source it retires cpu->op and leaves by
 * cpu_escape. */
void task_switch(struct cpu *cpu, uint16_t selector, struct descriptor *d,
		 enum task_switch_source source, uint64_t next_rip, const struct cpu_event *event);

/* ---- debug.c ---- */
/* Some breakpoint of DR7 is enabled and of the kind that RW names. */
enum debug_rw { DEBUG_EXECUTE = 0, DEBUG_WRITE = 1, DEBUG_IO = 2, DEBUG_ACCESS = 3 };
/* DR6 bits of the enabled breakpoints of a kind (a set of BIT32(enum debug_rw)) that `size`
 * bytes at `address`, linear or a port, touch; 0: none. */
uint64_t debug_match(const struct cpu *cpu, uint32_t kinds, uint64_t address, unsigned size);
/* Is some breakpoint of the kinds enabled? */
bool debug_armed(const struct cpu *cpu, uint32_t kinds);
/* Data and I/O accesses while breakpoints of their kind are armed: the trap waits for the end of
 * the instruction. */
void debug_memory_access(struct cpu *cpu, uint64_t linear, unsigned size, unsigned access);
void debug_port_access(struct cpu *cpu, uint16_t port, unsigned size);

/* ---- far.c ---- */
/* A code segment that a far JMP, CALL or RET goes to, with its checks behind it. */
struct far_target {
	uint16_t selector;
	struct descriptor d;
	uint64_t rip;
	unsigned cpl;
};
bool far_is_code64(const struct cpu *cpu, const struct far_target *target);
/* #GP(0) if target->rip is outside the segment or not canonical. */
void far_check_rip(struct cpu *cpu, const struct far_target *target);
/* Loads CS and CPL and sets cpu->next_rip. */
void far_enter(struct cpu *cpu, struct far_target *target);
/* Checks the CS that a RET or IRET popped, and an SS popped for a return to target->cpl. */
void far_check_return(struct cpu *cpu, struct far_target *target);
struct segment far_check_return_ss(struct cpu *cpu, const struct far_target *target,
				   uint16_t selector);

/* Linear address of an operand that is not accessed (INVLPG, exit information): no checks. */
static inline uint64_t op_linear(const struct cpu *cpu, const struct op *op, uint64_t ea)
{
	if (!cpu_code64(cpu))
		return (uint32_t)(cpu->seg[op->seg].base + ea);
	return op->seg == SEG_FS || op->seg == SEG_GS ? cpu->seg[op->seg].base + ea : ea;
}
/* Displacement as exit qualifications want it: with RIP added where addressing is RIP-relative. */
static inline uint64_t op_displacement(const struct cpu *cpu, const struct op *op)
{
	return (uint64_t)(int64_t)op->disp + (op->base == REG_RIP ? cpu->gpr[REG_RIP] : 0);
}
/* cpu_mode_changed, if the code segment, CPL or virtual-8086 mode make it necessary. What else the
 * MMU and the decoder depend on (CR, EFER, RFLAGS.AC, DR7) calls it outright. */
static inline void cpu_mode_recheck(struct cpu *cpu)
{
	uint32_t mode = decode_mode_key(cpu), changed = mode ^ cpu->mode;

	if (!changed)
		return;
	cpu->mode = mode;
	if (changed & MODE_CAREFUL)
		mmu_mode_changed(cpu);
	else
		mmu_view_changed(cpu);
}
/* Raises #GP(0) unless CPL is 0. */
static inline void require_cpl0(struct cpu *cpu)
{
	if (cpu->cpl)
		cpu_fault_code(cpu, VECTOR_GP, 0);
}
static inline void require_protected(struct cpu *cpu)
{
	if (cpu_real_or_vm86(cpu))
		cpu_fault(cpu, VECTOR_UD);
}

/* Offset arithmetic wrapped to the address size of the instruction. */
static inline uint64_t op_ea_add(const struct op *op, uint64_t ea, unsigned n)
{
	ea += n;
	return op->addrsize == 8 ? ea : op->addrsize == 4 ? (uint32_t)ea : (uint16_t)ea;
}
static inline uint64_t mask_to_size(uint64_t value, unsigned size)
{
	return size >= 8 ? value : value & ((UINT64_C(1) << size * 8) - 1);
}

/* ---- flags ---- */
/* RFLAGS as POPF, IRET and task switches load them: `mask` tells which bits change. Sets
 * cpu->attention when something may now be deliverable. */
void flags_load(struct cpu *cpu, uint64_t value, uint64_t mask);

#endif
