/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Stray VMX instructions.
 */
#include "tests/guests/hostile/hostile.h"

#include "l1/lib/trap.h"
#include "l1/lib/vmx.h"

struct stray {
	unsigned which;
	uint64_t address, value, field;
	uint64_t descriptor[2];
};

static void execute(void *argument)
{
	struct stray *s = argument;

	switch (s->which) {
	case 0:
		__asm__ volatile("vmptrld %0" : : "m"(s->address) : "cc", "memory");
		break;
	case 1:
		__asm__ volatile("vmclear %0" : : "m"(s->address) : "cc", "memory");
		break;
	case 2:
		__asm__ volatile("vmptrst %0" : "=m"(s->value) : : "cc", "memory");
		break;
	case 3:
		__asm__ volatile("vmread %1, %0" : "+r"(s->value) : "r"(s->field) : "cc");
		break;
	case 4:
		__asm__ volatile("vmwrite %0, %1" : : "r"(s->value), "r"(s->field) : "cc");
		break;
	case 5:
		__asm__ volatile("invept %0, %1"
				 :
				 : "m"(s->descriptor), "r"(s->value & 3)
				 : "cc", "memory");
		break;
	case 6:
		__asm__ volatile("invvpid %0, %1" : : "m"(s->descriptor), "r"(s->value & 7) : "cc", "memory");
		break;
	case 7:
		__asm__ volatile("vmxon %0" : : "m"(s->address) : "cc", "memory");
		break;
	case 8: /* an operand that is not there */
		__asm__ volatile("vmptrld (%0)" : : "r"(s->value | BIT64(62)) : "cc", "memory");
		break;
	default:
		__asm__ volatile("vmread %1, (%0)" : : "r"(BIT64(40)), "r"(s->field) : "cc", "memory");
		break;
	}
}

bool stray_instruction(uint64_t top)
{
	struct trap_info info;
	struct stray stray = {
	    .which = (chance() >> 8) % 10,
	    .address = chance_address(top),
	    .value = chance(),
	    .field = chance_one_in(2) ? chance() >> 49
				      : vmcs_fields[(chance() >> 8) % VMCS_FIELD_COUNT].encoding,
	    .descriptor = {chance_one_in(2) ? chance_address(top) : chance() >> 48,
			   chance_address(top)},
	};

	/* The instruction would succeed on a host field that must stay. */
	if (stray.which == 4 && vmcs_field_type((uint32_t)stray.field) == VMCS_TYPE_HOST)
		stray.which = 3;
	trap_catch(&info, execute, &stray);
	return stray.which <= 1 || stray.which == 4 || stray.which == 7;
}
