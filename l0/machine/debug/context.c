/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Registers of a level, from the CPU or from the VMCS that it left them in.
 */
#include "l0/machine/debug/context.h"

#include <string.h>

#include "l0/machine/levels.h"
#include "l0/machine/machine.h"

unsigned context_current_level(const struct machine *machine)
{
	bool guest = machine->cpu_ops->in_guest && machine->cpu_ops->in_guest(machine->cpu);

	/* Without levels.h's help a guest is L1: there is one at least. */
	return !guest ? 0 : machine->levels ? levels_current(machine->levels) : 1;
}

static void segments_of_guest(struct context *context, const struct vmcs *vmcs)
{
	for (unsigned i = 0; i < SEG_COUNT; i++)
		context->seg[i] = (struct context_segment){
			.base = vmcs_get_seg(vmcs, BASE, i),
			.limit = (uint32_t)vmcs_get_seg(vmcs, LIMIT, i),
			.ar = (uint32_t)vmcs_get_seg(vmcs, ACCESS_RIGHTS, i),
			.selector = (uint16_t)vmcs_get_seg(vmcs, SELECTOR, i),
		};
	context->gdtr_base = vmcs_get(vmcs, GUEST_GDTR_BASE);
	context->gdtr_limit = (uint32_t)vmcs_get(vmcs, GUEST_GDTR_LIMIT);
	context->idtr_base = vmcs_get(vmcs, GUEST_IDTR_BASE);
	context->idtr_limit = (uint32_t)vmcs_get(vmcs, GUEST_IDTR_LIMIT);
}

static bool has_ept(const struct vmcs *vmcs)
{
	return (vmcs_get(vmcs, PRIMARY_CONTROLS) & PRIMARY_ACTIVATE_SECONDARY) &&
	       (vmcs_get(vmcs, SECONDARY_CONTROLS) & SECONDARY_ENABLE_EPT);
}

void context_of_guest(struct context *context, const struct vmcs *vmcs, const uint64_t *gpr)
{
	*context = (struct context){
		.gpr_known = gpr,
		.rip = vmcs_get(vmcs, GUEST_RIP),
		.rflags = vmcs_get(vmcs, GUEST_RFLAGS),
		.cr0 = vmcs_get(vmcs, GUEST_CR0),
		.cr3 = vmcs_get(vmcs, GUEST_CR3),
		.cr4 = vmcs_get(vmcs, GUEST_CR4),
		.efer = vmcs_get(vmcs, ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST ?
				EFER_LMA | EFER_LME : 0,
		.eptp = has_ept(vmcs) ? vmcs_get(vmcs, EPT_POINTER) : 0,
	};
	if (gpr)
		memcpy(context->gpr, gpr, sizeof(context->gpr));
	context->gpr[REG_RSP] = vmcs_get(vmcs, GUEST_RSP);
	for (unsigned i = 0; i < 4; i++)
		context->pdpte[i] = vmcs->field[VMCS_INDEX_GUEST_PDPTE0 + i];
	segments_of_guest(context, vmcs);
}

/* SDM 3C "Loading Host Segment and Descriptor-Table Registers" */
void context_of_host(struct context *context, const struct vmcs *vmcs)
{
	bool wide = vmcs_get(vmcs, EXIT_CONTROLS) & EXIT_HOST_ADDRESS_SPACE_SIZE;
	uint32_t code = 0xb | AR_S | AR_P | AR_G | (wide ? AR_L : AR_DB);
	uint32_t data = 0x3 | AR_S | AR_P | AR_G | AR_DB;

	*context = (struct context){
		.rip = vmcs_get(vmcs, HOST_RIP),
		.rflags = RFLAGS_FIXED1,
		.cr0 = vmcs_get(vmcs, HOST_CR0),
		.cr3 = vmcs_get(vmcs, HOST_CR3),
		.cr4 = vmcs_get(vmcs, HOST_CR4),
		.efer = wide ? EFER_LMA | EFER_LME : 0,
		.gdtr_base = vmcs_get(vmcs, HOST_GDTR_BASE),
		.gdtr_limit = 0xffff,
		.idtr_base = vmcs_get(vmcs, HOST_IDTR_BASE),
		.idtr_limit = 0xffff,
	};
	context->gpr[REG_RSP] = vmcs_get(vmcs, HOST_RSP);
	for (unsigned i = SEG_ES; i <= SEG_GS; i++)
		context->seg[i] = (struct context_segment){
			.limit = UINT32_MAX,
			.ar = i == SEG_CS ? code : data,
			.selector = (uint16_t)vmcs->field[VMCS_INDEX_HOST_ES_SELECTOR + i],
		};
	context->seg[SEG_FS].base = vmcs_get(vmcs, HOST_FS_BASE);
	context->seg[SEG_GS].base = vmcs_get(vmcs, HOST_GS_BASE);
	context->seg[SEG_TR] = (struct context_segment){
		.base = vmcs_get(vmcs, HOST_TR_BASE),
		.limit = 0x67,
		.ar = 0xb | AR_P,
		.selector = (uint16_t)vmcs_get(vmcs, HOST_TR_SELECTOR),
	};
}

/* The VMCS in force while a guest runs is L0's: its host-state area is where L0 will go on. */
static bool waiting_level(const struct machine *machine, unsigned level, struct context *context)
{
	const struct levels *levels = machine->levels;
	const struct levels_row *row = !levels ? NULL :
				       level ? levels_find(levels, level) :
					       levels_find(levels, levels_current(levels));
	const void *vmcs = row ? memory_at(&machine->memory, row->vmcs) : NULL;

	if (!vmcs)
		return false;
	if (level)
		context_of_guest(context, vmcs, row->gpr);
	else
		context_of_host(context, vmcs);
	return true;
}

bool context_of_level(const struct machine *machine, unsigned level, struct context *context)
{
	const struct cpu_ops *ops = machine->cpu_ops;

	if (level != context_current_level(machine)) {
		if (!waiting_level(machine, level, context))
			return false;
	} else {
		if (!ops->context)
			return false;
		ops->context(machine->cpu, context);
	}
	context->level = level;
	return true;
}

bool context_is_64bit(const struct context *context)
{
	return (context->efer & EFER_LMA) && (context->seg[SEG_CS].ar & AR_L);
}

uint64_t context_code_linear(const struct context *context)
{
	return context_is_64bit(context) ? context->rip :
					   (uint32_t)(context->seg[SEG_CS].base + context->rip);
}
