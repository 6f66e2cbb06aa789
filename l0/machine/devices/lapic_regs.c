/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Local APIC registers through the xAPIC page and the x2APIC MSRs, and IA32_APIC_BASE.
 */
#include "l0/machine/devices/lapic_state.h"
#include "shadow/sdm/msr.h"

#define APIC_BASE_RESERVED UINT64_C(0xfff00000000002ff)
#define APIC_BASE_ADDRESS UINT64_C(0x000ffffffffff000)
/* Integrated APIC, LVT_COUNT entries, EOI-broadcast suppression. */
#define VERSION_VALUE (0x15u | (LVT_COUNT - 1) << 16 | 1u << 24)
#define LVT_READ_ONLY 0x5000u

enum { R = 1, W = 2, RW = 3 };
enum register_name {
#define LAPIC_REGISTER(name, first, count, xapic, x2apic, writable) REG_##name,
#include "l0/machine/devices/lapic_regs.def"
	REGISTER_COUNT,
};

struct lapic_register {
	uint8_t first, count, xapic, x2apic;
	uint32_t writable;
};

static const struct lapic_register registers[REGISTER_COUNT] = {
#define LAPIC_REGISTER(name, first, count, xapic, x2apic, writable)                                \
	[REG_##name] = { first, count, xapic, x2apic, writable },
#include "l0/machine/devices/lapic_regs.def"
};

static enum register_name register_at(unsigned index)
{
	unsigned i = 0;

	while (i < REGISTER_COUNT && index - registers[i].first >= registers[i].count)
		i++;
	return i;
}

static uint32_t register_read(const struct lapic *lapic, enum register_name name, unsigned word)
{
	switch (name) {
	case REG_VERSION:
		return VERSION_VALUE;
	case REG_TPR:
		return lapic->tpr;
	case REG_PPR:
		return lapic_ppr(lapic);
	case REG_LDR:
		return lapic_x2apic(lapic) ? 1 : lapic->ldr;
	case REG_DFR:
		return lapic->dfr;
	case REG_SVR:
		return lapic->svr;
	case REG_ISR:
		return lapic->isr[word];
	case REG_TMR:
		return lapic->tmr[word];
	case REG_IRR:
		return lapic->irr[word];
	case REG_ESR:
		return lapic->esr;
	case REG_ICR:
		return lapic->icr;
	case REG_ICR_HIGH:
		return lapic->icr >> 32;
	case REG_LVT_TIMER ... REG_LVT_ERROR:
		return lapic->lvt[name - REG_LVT_TIMER];
	case REG_INITIAL_COUNT:
		return lapic->initial_count;
	case REG_CURRENT_COUNT:
		return lapic_timer_count(lapic);
	case REG_DIVIDE_CONFIG:
		return lapic->divide_config;
	default: /* ID is 0; APR and RRD belong to the old APIC bus */
		return 0;
	}
}

static void svr_write(struct lapic *lapic, uint32_t value)
{
	lapic->svr = value;
	/* SDM 3A "Local APIC State After It Has Been Software Disabled": all LVT masks are set. */
	for (unsigned i = 0; !(value & SVR_ENABLE) && i < LVT_COUNT; i++)
		lapic->lvt[i] |= LVT_MASKED;
}

static void lvt_write(struct lapic *lapic, enum lapic_lvt entry, uint32_t value)
{
	uint32_t kept = lapic->lvt[entry] & LVT_READ_ONLY;

	if (!(lapic->svr & SVR_ENABLE))
		value |= LVT_MASKED;
	if (entry == LVT_TIMER)
		lapic_timer_mode_change(lapic, value);
	lapic->lvt[entry] = value | kept;
	machine_poke(lapic->machine); /* LINT0 may let the PICs through now */
}

static void register_write(struct lapic *lapic, enum register_name name, uint32_t value)
{
	switch (name) {
	case REG_TPR:
		lapic->tpr = value;
		machine_poke(lapic->machine);
		break;
	case REG_EOI:
		lapic_eoi(lapic);
		break;
	case REG_LDR:
		lapic->ldr = value;
		break;
	case REG_DFR: /* bits 27:0 read as ones */
		lapic->dfr = value | 0x0fffffff;
		break;
	case REG_SVR:
		svr_write(lapic, value);
		break;
	case REG_ESR:
		lapic->esr = lapic->esr_seen;
		lapic->esr_seen = 0;
		break;
	case REG_ICR_HIGH:
		lapic->icr = (uint32_t)lapic->icr | (uint64_t)value << 32;
		break;
	case REG_ICR:
		lapic->icr = (lapic->icr & ~UINT64_C(0xffffffff)) | value;
		lapic_icr_send(lapic);
		break;
	case REG_LVT_TIMER ... REG_LVT_ERROR:
		lvt_write(lapic, name - REG_LVT_TIMER, value);
		break;
	case REG_INITIAL_COUNT:
		lapic_timer_set_count(lapic, value);
		break;
	case REG_DIVIDE_CONFIG:
		lapic_timer_set_divider(lapic, value);
		break;
	case REG_SELF_IPI:
		lapic_accept(lapic, value, false);
		break;
	default:
		break;
	}
}

uint32_t lapic_mmio_read(struct lapic *lapic, unsigned offset)
{
	enum register_name name = register_at(offset >> 4);

	if (name < REGISTER_COUNT && registers[name].xapic & R)
		return register_read(lapic, name, (offset >> 4) - registers[name].first);
	if (name == REGISTER_COUNT || !(registers[name].xapic))
		lapic_error(lapic, ESR_ILLEGAL_REGISTER);
	return 0;
}

void lapic_mmio_write(struct lapic *lapic, unsigned offset, uint32_t value)
{
	enum register_name name = register_at(offset >> 4);

	if (name < REGISTER_COUNT && registers[name].xapic & W)
		register_write(lapic, name, value & registers[name].writable);
	else if (name == REGISTER_COUNT || !(registers[name].xapic))
		lapic_error(lapic, ESR_ILLEGAL_REGISTER);
}

bool lapic_msr_read(struct lapic *lapic, uint32_t msr, uint64_t *value)
{
	enum register_name name = register_at(msr - MSR_IA32_X2APIC_FIRST);

	if (!lapic_x2apic(lapic) || name == REGISTER_COUNT || !(registers[name].x2apic & R))
		return false;
	*value = name == REG_ICR ? lapic->icr :
				   register_read(lapic, name, msr - MSR_IA32_X2APIC_FIRST -
								      registers[name].first);
	return true;
}

bool lapic_msr_write(struct lapic *lapic, uint32_t msr, uint64_t value)
{
	enum register_name name = register_at(msr - MSR_IA32_X2APIC_FIRST);

	if (!lapic_x2apic(lapic) || name == REGISTER_COUNT || !(registers[name].x2apic & W))
		return false;
	uint64_t allowed = registers[name].writable;
	if (name >= REG_LVT_TIMER && name <= REG_LVT_ERROR)
		allowed |= LVT_READ_ONLY;
	if (name == REG_ICR)
		allowed |= UINT64_C(0xffffffff) << 32;
	if (value & ~allowed)
		return false;
	if (name == REG_ICR)
		lapic->icr = value;
	register_write(lapic, name, value & registers[name].writable);
	return true;
}

uint8_t lapic_cr8(const struct lapic *lapic)
{
	return lapic->tpr >> 4;
}

void lapic_set_cr8(struct lapic *lapic, uint8_t cr8)
{
	register_write(lapic, REG_TPR, (cr8 & 0xf) << 4);
}

uint64_t lapic_base(const struct lapic *lapic)
{
	return lapic->base;
}

/* The xAPIC page answers only in xAPIC mode. */
static void mmio_follow_base(struct lapic *lapic)
{
	lapic->mmio.base = lapic->base & APIC_BASE_ADDRESS;
	lapic->mmio.length = lapic_enabled(lapic) && !lapic_x2apic(lapic) ? 4096 : 0;
}

/* SDM 3A "x2APIC State Transitions". */
bool lapic_set_base(struct lapic *lapic, uint64_t value)
{
	bool to_enabled = value & APIC_BASE_EN, to_x2apic = value & APIC_BASE_EXTD;

	if (value & APIC_BASE_RESERVED || (to_x2apic && !to_enabled))
		return false;
	if (lapic_x2apic(lapic) && to_enabled && !to_x2apic)
		return false;
	if (!lapic_enabled(lapic) && to_x2apic)
		return false;
	if (lapic_enabled(lapic) && !to_enabled)
		lapic_reset(lapic, true);
	if (!lapic_x2apic(lapic) && to_x2apic)
		lapic->icr = (uint32_t)lapic->icr;
	lapic->base = value;
	mmio_follow_base(lapic);
	machine_poke(lapic->machine);
	return true;
}

/* Registers are 32 bits wide at multiples of 16; parts of one read as its bytes, writes of less
 * than 32 bits are not defined and are dropped. */
static uint64_t page_read(void *opaque, uint64_t offset, unsigned size)
{
	return offset % 16 < 4 ? lapic_mmio_read(opaque, offset & ~15u) >> 8 * (offset % 4) : 0;
}

static void page_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	if (size == 4 && offset % 16 == 0)
		lapic_mmio_write(opaque, offset, value);
}

struct lapic *lapic_create(struct machine *machine)
{
	struct lapic *lapic = machine_alloc(machine, sizeof(*lapic));

	lapic->machine = machine;
	lapic_timer_init(lapic);
	lapic_reset(lapic, false);
	lapic->svr = SVR_ENABLE | SVR_VECTOR;
	lapic->lvt[LVT_LINT0] = APIC_EXTINT << LVT_MODE_SHIFT;
	lapic->lvt[LVT_LINT1] = APIC_NMI << LVT_MODE_SHIFT;
	lapic->mmio = (struct region){ .max_size = 4, .read = page_read, .write = page_write,
				       .opaque = lapic };
	mmio_follow_base(lapic);
	machine_add_mmio(machine, &lapic->mmio);
	return lapic;
}
