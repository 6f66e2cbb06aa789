/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Intercepted ports: which they are, and what becomes of an access. IN and OUT are done here. What
 * is more than that, string I/O and accesses on which a breakpoint of the guest may lie, it
 * executes itself: the port stands open for one step (SDM 3C "Monitor Trap Flag").
 */
#include "l0/hv/acpi.h"
#include "l0/hv/exit.h"
#include "l0/hv/hw.h"
#include "l0/hv/log.h"

#define IO_SIZE 7 /* the fields of SDM 3C "Exit Qualification for I/O Instructions" */
#define IO_IN BIT64(3)
#define IO_STRING BIT64(4)
#define IO_PORT_SHIFT 16
#define BREAKPOINTS 4
#define BREAK_ON_IO 2 /* R/W of DR7 */

/* ---- the bitmaps ---- */

static uint64_t *bitmap_word(struct vcpu *vcpu, uint16_t port)
{
	uint64_t *bitmap = port < 0x8000 ? vcpu->io_bitmap_a : vcpu->io_bitmap_b;

	return &bitmap[(port & 0x7fff) / 64];
}

static void intercept_port(struct vcpu *vcpu, uint16_t port)
{
	*bitmap_word(vcpu, port) |= UINT64_C(1) << (port % 64);
}

/* Returns whether it was intercepted. */
static bool open_port(struct vcpu *vcpu, uint16_t port)
{
	uint64_t *word = bitmap_word(vcpu, port), bit = UINT64_C(1) << (port % 64);
	bool was = *word & bit;

	*word &= ~bit;
	return was;
}

/* With a log, the ports that end the run exit, so that it can be flushed. */
static void intercept_ends(struct vcpu *vcpu)
{
	uint16_t pm1a = acpi_pm1a_control();

	intercept_port(vcpu, EXIT_PORT);
	if (pm1a) {
		intercept_port(vcpu, pm1a);
		intercept_port(vcpu, pm1a + 1);
	}
}

void io_bitmaps_fill(struct vcpu *vcpu)
{
	intercept_port(vcpu, MEASURED_PORT);
	if (log_on)
		intercept_ends(vcpu);
}

/* ---- one step with the port open ---- */

static void set_trap_flag(bool on)
{
	uint64_t primary = hw_vmread(VMCS_PRIMARY_CONTROLS) & ~(uint64_t)PRIMARY_MONITOR_TRAP_FLAG;

	hw_vmwrite(VMCS_PRIMARY_CONTROLS, primary | (on ? PRIMARY_MONITOR_TRAP_FLAG : 0));
}

static bool step(struct vcpu *vcpu, uint16_t port, unsigned size)
{
	if (vcpu->shadow.in_l2)
		return shadow_l2_step(&vcpu->shadow);
	if (!machine_has(&hv.machine, VMX_FEATURE_MONITOR_TRAP_FLAG))
		return false;
	vcpu->open.port = port;
	for (unsigned i = 0; i < size; i++)
		vcpu->open.mask |= open_port(vcpu, (uint16_t)(port + i)) << i;
	set_trap_flag(true);
	return true;
}

/* After the instruction, an iteration of it, or the event that came first or instead. */
enum exit_next handle_stepped(struct vcpu *vcpu)
{
	for (unsigned i = 0; vcpu->open.mask >> i; i++)
		if (vcpu->open.mask >> i & 1)
			intercept_port(vcpu, (uint16_t)(vcpu->open.port + i));
	vcpu->open.mask = 0;
	set_trap_flag(false);
	return EXIT_NEXT_RESUME;
}

/* ---- accesses ---- */

static bool breaks_on_io(void)
{
	uint64_t dr7 = hw_vmread(VMCS_GUEST_DR7);

	for (unsigned i = 0; i < BREAKPOINTS; i++)
		if ((dr7 >> (2 * i) & 3) && (dr7 >> (16 + 4 * i) & 3) == BREAK_ON_IO)
			return hw_vmread(VMCS_GUEST_CR4) & CR4_DE;
	return false;
}

static void io_write(uint16_t port, unsigned size, uint64_t value)
{
	if (size == 1)
		hw_out8(port, (uint8_t)value);
	else if (size == 2)
		hw_out16(port, (uint16_t)value);
	else
		hw_out32(port, (uint32_t)value);
}

/* As IN changes RAX: the low 8 or 16 bits, or all of it. */
static void io_read(uint16_t port, unsigned size, uint64_t *rax)
{
	if (size == 1)
		*rax = (*rax & ~UINT64_C(0xff)) | hw_in8(port);
	else if (size == 2)
		*rax = (*rax & ~UINT64_C(0xffff)) | hw_in16(port);
	else
		*rax = hw_in32(port);
}

/* Besides MEASURED_PORT, only ports that may end the run are intercepted, and only while a log must
 * not be lost. */
enum exit_next handle_io(struct vcpu *vcpu)
{
	uint64_t qualification = vcpu->exit.qualification;
	uint16_t port = (uint16_t)(qualification >> IO_PORT_SHIFT);
	unsigned size = (unsigned)(qualification & IO_SIZE) + 1;
	bool in = qualification & IO_IN, string = qualification & IO_STRING;
	uint64_t *rax = &vcpu->regs.gpr[REG_RAX];

	if (!in && port != MEASURED_PORT)
		log_end(vcpu);
	if ((string || breaks_on_io()) && step(vcpu, port, size))
		return EXIT_NEXT_RESUME;
	if (string)
		hv_end_guest(
		    vcpu, "string I/O to an intercepted port, on a CPU without monitor trap flag");
	if (in)
		io_read(port, size, rax);
	else
		io_write(port, size, *rax);
	return EXIT_NEXT_SKIP;
}
