/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Interception of instructions: by table where one control bit decides, by rule for PAUSE, XSAVES,
 * XRSTORS and MOV DR. SDM 3C "Instructions That Cause VM Exits Conditionally".
 */
#include "l0/machine/interp/vmx/vmx.h"

#include "l0/machine/interp/vmx/private.h"

enum rule { RULE_NONE, RULE_ALWAYS, RULE_PRIMARY, RULE_SECONDARY };

#define SECONDARY_NONE 0u
#define ALWAYS_NONE 0u

static const struct intercept {
	uint8_t rule;
	uint32_t enable;
	uint32_t mask;
} intercepts[EXIT_REASON_COUNT] = {
#define INTERCEPT(reason, enable_, rule_, control)                                                 \
	[EXIT_REASON_##reason] = {                                                                 \
		.rule = RULE_##rule_,                                                              \
		.enable = (uint32_t)SECONDARY_##enable_,                                           \
		.mask = (uint32_t)rule_##_##control,                                               \
	},
#include "l0/machine/interp/vmx/intercept.def"
#undef INTERCEPT
};

static bool exits(const struct cpu *cpu, const struct intercept *intercept)
{
	switch ((enum rule)intercept->rule) {
	case RULE_ALWAYS:
		return true;
	case RULE_PRIMARY:
		return vmx_primary(cpu, intercept->mask);
	case RULE_SECONDARY:
		return vmx_secondary(cpu, intercept->mask);
	case RULE_NONE:
		break;
	}
	return false;
}

/* ---- PAUSE ---- */

/* SDM 3C "PAUSE-loop exiting", at CPL 0: PAUSEs closer than PLE_Gap belong to one loop, and a loop
 * longer than PLE_Window exits. */
static bool pause_loop_exits(struct cpu *cpu)
{
	struct vmx_private *private = vmx_private(cpu);
	const struct vmcs *vmcs = cpu->vmx->vmcs;
	uint64_t tsc = cpu_tsc(cpu), last = private->pause_last;

	private->pause_last = tsc;
	if (!last || tsc - last > vmcs_get(vmcs, PLE_GAP)) {
		private->pause_first = tsc;
		return false;
	}
	return tsc - private->pause_first > vmcs_get(vmcs, PLE_WINDOW);
}

static void intercept_pause(struct cpu *cpu)
{
	if (vmx_primary(cpu, PRIMARY_PAUSE_EXITING) ||
	    (vmx_secondary(cpu, SECONDARY_PAUSE_LOOP_EXITING) && cpu->cpl == 0 &&
	     pause_loop_exits(cpu)))
		vmx_exit(cpu, EXIT_REASON_PAUSE, 0);
}

/* ---- XSAVES, XRSTORS ---- */

/* Exits if EDX:EAX, IA32_XSS and the XSS-exiting bitmap have a bit in common. */
static void intercept_xsaves(struct cpu *cpu, enum vmx_exit_reason reason, uint64_t qualification)
{
	uint64_t mask = (uint32_t)cpu->gpr[REG_RAX] | cpu->gpr[REG_RDX] << 32;

	if (mask & cpu->msrs.xss & vmcs_get(cpu->vmx->vmcs, XSS_EXITING_BITMAP))
		vmx_exit(cpu, reason, qualification);
}

/* ---- entry points ---- */

void vmx_intercept_insn(struct cpu *cpu, enum vmx_exit_reason reason, uint64_t qualification)
{
	const struct intercept *intercept = &intercepts[reason];

	if (!cpu->vmx->nonroot)
		return;
	switch (reason) {
	case EXIT_REASON_PAUSE:
		intercept_pause(cpu);
		return;
	case EXIT_REASON_XSAVES:
	case EXIT_REASON_XRSTORS:
		intercept_xsaves(cpu, reason, qualification);
		return;
	default:
		break;
	}
	if (intercept->enable && !vmx_secondary(cpu, intercept->enable))
		cpu_fault(cpu, VECTOR_UD);
	if (exits(cpu, intercept))
		vmx_exit(cpu, reason, qualification);
}

void vmx_intercept_descriptor_table(struct cpu *cpu, enum vmx_exit_reason reason,
				    uint64_t displacement)
{
	vmx_intercept_insn(cpu, reason, cpu->op ? vmx_displacement(cpu, cpu->op) : displacement);
}

/* SDM 3C "Exit Qualification for MOV DR": 2:0 register | 4 from | 11:8 GPR */
void vmx_intercept_mov_dr(struct cpu *cpu, unsigned dr, bool from, unsigned gpr)
{
	if (cpu->vmx->nonroot && vmx_primary(cpu, PRIMARY_MOV_DR_EXITING))
		vmx_exit(cpu, EXIT_REASON_MOV_DR, dr | (from ? BIT64(4) : 0) | gpr << 8);
}

/* SDM 3C "Exit Qualification for Task Switches": 15:0 selector | 31:30 source. A software event's
 * task gate reports the instruction as its own, SDM 3C "Saving RIP, RSP, RFLAGS, and SSP". */
void vmx_intercept_task_switch(struct cpu *cpu, uint16_t selector, unsigned source)
{
	if (cpu->vmx->nonroot)
		vmx_exit(cpu, EXIT_REASON_TASK_SWITCH, selector | (uint64_t)source << 30);
}
