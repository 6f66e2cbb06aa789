/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMX with any VMCS: a host that launches, and resumes after whatever exit; fields that the bytes
 * set over a VMCS that enters; bytes in the pages that the controls may use; a guest whose code is
 * the rest.
 *
 *   n, then n times: field number (1), value (8)
 *   m, then m times: page (1), offset / 8 (2), value (8)
 *   guest code, whose last byte chooses the part, too
 */
#include "l0/machine/interp/insns.h"
#include "tests/fuzz/fuzz.h"
#include "tests/l0/machine/interp/vmx/fixture.h"
#include "tests/l0/machine/interp/whole.h"

#define RAM (UINT64_C(2) << 20)
#define TABLES_END 0x6000 /* whole.h; the fixture's pages move up by as much */
#define BASE UINT64_C(0x20000)
#define CODE_MAX 512

/* vmlaunch; then, also where exits lead: vmresume; hlt */
static const uint8_t host_code[] = { 0x0f, 0x01, 0xc2, 0x0f, 0x01, 0xc3, 0xf4 };

static void vmcs_prepare(struct fixture *f)
{
	poke32(f, BASE + VMXON_REGION, VMCS_REVISION);
	poke32(f, BASE + VMCS_A, VMCS_REVISION);
	f->cpu->gpr[REG_RBX] = BASE + OPERAND;
	f->op = (struct op){ .flags = OP_MEMORY, .base = REG_RBX, .index = REG_ZERO, .seg = SEG_DS,
			     .opsize = 8, .addrsize = 8, .len = 4 };
	poke64(f, BASE + OPERAND, BASE + VMXON_REGION);
	(void)call(f, insn_vmxon);
	poke64(f, BASE + OPERAND, BASE + VMCS_A);
	(void)call(f, insn_vmclear);
	(void)call(f, insn_vmptrld);
	SET(f, PIN_BASED_CONTROLS, PIN_DEFAULT1);
	SET(f, PRIMARY_CONTROLS, PRIMARY_DEFAULT1_TRUE);
	SET(f, EXIT_CONTROLS, EXIT_DEFAULT1_TRUE | EXIT_HOST_ADDRESS_SPACE_SIZE);
	SET(f, ENTRY_CONTROLS, ENTRY_DEFAULT1_TRUE | ENTRY_IA32E_MODE_GUEST);
	host_fields(f);
	guest_fields(f);
	SET(f, HOST_CR3, WHOLE_TABLES);
	SET(f, GUEST_CR3, WHOLE_TABLES);
	SET(f, HOST_RIP, BASE + HOST_ENTRY + 3);
	SET(f, GUEST_RIP, BASE + GUEST_ENTRY);
	SET(f, GUEST_RSP, BASE + GUEST_STACK);
}

void fuzz_vmx(const uint8_t *bytes, size_t size)
{
	struct fixture f;

	memset(&f, 0, sizeof(f));

	whole_create_part(&f.machine, RAM, fuzz_part(bytes, size));
	f.cpu = f.machine.cpu;
	whole_boot_long64(&f.machine, RAM, BASE + HOST_ENTRY, BASE + HOST_STACK);
	f.cpu->cr0 |= CR0_NE;
	f.cpu->cr4 |= CR4_VMXE;
	f.cpu->msrs.feature_control = FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX_OUTSIDE_SMX;
	cpu_mode_changed(f.cpu);
	vmcs_prepare(&f);
	for (unsigned n = fuzz_take(&bytes, &size, 1); n; n--) {
		unsigned field = fuzz_take(&bytes, &size, 1) % VMCS_FIELD_COUNT;

		f.cpu->vmx->vmcs->field[field] = fuzz_take(&bytes, &size, 8);
	}
	for (unsigned n = fuzz_take(&bytes, &size, 1); n; n--) {
		uint64_t page = fuzz_take(&bytes, &size, 1) % (RAM >> 12);
		uint64_t at = page << 12 | fuzz_take(&bytes, &size, 2) % 512 * 8;

		poke64(&f, at, fuzz_take(&bytes, &size, 8));
	}
	whole_put(&f.machine, BASE + HOST_ENTRY, host_code, sizeof(host_code));
	if (size)
		whole_put(&f.machine, BASE + GUEST_ENTRY, bytes, size < CODE_MAX ? size : CODE_MAX);
	f.cpu->escape = NULL;
	fuzz_run(&f.machine);
	machine_free(&f.machine);
}
