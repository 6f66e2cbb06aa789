/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The VMCS from its table (vmcs.def), and the two bitmaps.
 */
#include "l1/tiny/tiny.h"

#include "l1/lib/cpu.h"
#include "l1/lib/paging.h"
#include "l1/lib/runtime.h"
#include "l1/lib/vmx.h"

#define PRIMARY_WANTED                                                                             \
	(PRIMARY_HLT_EXITING | PRIMARY_USE_IO_BITMAPS | PRIMARY_USE_MSR_BITMAPS |                  \
	 (uint32_t)PRIMARY_ACTIVATE_SECONDARY)
#define SECONDARY_NEEDED (SECONDARY_ENABLE_EPT | SECONDARY_UNRESTRICTED_GUEST)
/* Instructions that would be #UD in the guest without their control. */
#define SECONDARY_WANTED                                                                           \
	(SECONDARY_NEEDED | SECONDARY_ENABLE_RDTSCP | SECONDARY_ENABLE_INVPCID |                   \
	 SECONDARY_ENABLE_XSAVES)
#define ENTRY_WANTED (ENTRY_LOAD_EFER | ENTRY_LOAD_PAT)
#define EXIT_WANTED                                                                                \
	(EXIT_HOST_ADDRESS_SPACE_SIZE | EXIT_SAVE_EFER | EXIT_LOAD_EFER | EXIT_SAVE_PAT |          \
	 EXIT_LOAD_PAT)
#define FLAT (AR_G | AR_DB | AR_P | AR_S | AR_TYPE_WRITABLE | AR_TYPE_ACCESSED)

static void set_bit(uint8_t *bitmap, uint32_t bit)
{
	bitmap[bit / 8] |= (uint8_t)(1 << bit % 8);
}

static uint8_t *io_bitmap_a(void)
{
	uint8_t *bitmap = page_alloc();

	set_bit(bitmap, TINY_PORT);
	return bitmap;
}

/* Reads of low MSRs are the first quarter, writes the third (SDM 3C "MSR-Bitmap Address"). */
static uint8_t *msr_bitmap(void)
{
	uint8_t *bitmap = page_alloc();

	set_bit(bitmap, MSR_IA32_FEATURE_CONTROL);
	set_bit(bitmap + 2048, MSR_IA32_FEATURE_CONTROL);
	for (uint32_t msr = MSR_IA32_VMX_BASIC; msr <= MSR_IA32_VMX_VMFUNC; msr++)
		set_bit(bitmap, msr);
	return bitmap;
}

static void check_features(void)
{
	uint32_t primary = vmx_controls(MSR_IA32_VMX_PROCBASED_CTLS, PRIMARY_WANTED);

	if (!(primary & (uint32_t)PRIMARY_ACTIVATE_SECONDARY) ||
	    (vmx_controls(MSR_IA32_VMX_PROCBASED_CTLS2, SECONDARY_WANTED) & SECONDARY_NEEDED) !=
		    SECONDARY_NEEDED)
		runtime_panic(TINY_NO_VMX,
			      "tiny: this CPU has no EPT with unrestricted guest; tiny needs it");
	if (!(primary & PRIMARY_USE_MSR_BITMAPS))
		runtime_panic(TINY_NO_VMX, "tiny: this CPU has no MSR bitmaps; tiny needs them");
	if ((vmx_controls(MSR_IA32_VMX_ENTRY_CTLS, ENTRY_WANTED) & ENTRY_WANTED) != ENTRY_WANTED)
		runtime_panic(TINY_NO_VMX,
			      "tiny: VM entries do not load EFER and PAT here; tiny needs it");
}

void vmcs_setup(const struct guest_start *start, uint64_t eptp)
{
	const char *refused;

	if (cpuid(1, 0).ecx & BIT32(26)) /* XSAVE: so that exits.c can execute XSETBV */
		write_cr4(read_cr4() | CR4_OSXSAVE);
	refused = vmx_start();
	if (refused)
		runtime_panic(TINY_NO_VMX, "tiny: %s", refused);
	check_features();
	if (!vmx_new_vmcs())
		runtime_panic(TINY_NO_VMX, "tiny: the CPU refuses the VMCS");

	const struct vmx_row rows[] = {
#define VMCS(name, value) {VMCS_##name, value},
#include "l1/tiny/vmcs.def"
#undef VMCS
	};
	vmx_write_rows(rows, sizeof(rows) / sizeof(rows[0]));
	vmx_write_host_state(); /* RSP and RIP: entry.S */
}
