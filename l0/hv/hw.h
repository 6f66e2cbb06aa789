/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The hardware as C sees it: the only inline assembly of the hypervisor. One instruction (or one
 * instruction and what tells its outcome) per function, no policy. Whatever carries the hypervisor
 * is reached through here and nowhere else.
 */
#ifndef L0_HV_HW_H
#define L0_HV_HW_H

#include <stddef.h>

#include "shadow/sdm/msr.h"
#include "shadow/sdm/vmx.h"

struct cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_regs hw_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs r;

	asm volatile("cpuid"
		     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
		     : "a"(leaf), "c"(subleaf));
	return r;
}

static inline uint8_t hw_in8(uint16_t port)
{
	uint8_t value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint16_t hw_in16(uint16_t port)
{
	uint16_t value;

	asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint32_t hw_in32(uint16_t port)
{
	uint32_t value;

	asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void hw_out8(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void hw_out16(uint16_t port, uint16_t value)
{
	asm volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void hw_out32(uint16_t port, uint32_t value)
{
	asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

/* `count` doublewords from `from` to `port`. */
static inline void hw_outs32(uint16_t port, const void *from, size_t count)
{
	asm volatile("rep outsl" : "+S"(from), "+c"(count) : "d"(port) : "memory");
}

static inline uint64_t hw_rdmsr(uint32_t msr)
{
	uint32_t low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void hw_wrmsr(uint32_t msr, uint64_t value)
{
	asm volatile("wrmsr"
		     :
		     : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(msr)
		     : "memory");
}

/* A row of the table by which fault.c resumes after an instruction that may fault: at `label`. */
#define HW_FAULT_ROW(label)                                                                        \
	".pushsection .fault_table, \"a\"\n\t.quad 1b, " label "\n\t.popsection\n\t"

/* RDMSR of an MSR that may not exist. False: it faulted. */
static inline bool hw_try_rdmsr(uint32_t msr, uint64_t *value)
{
	uint32_t low = 0, high = 0;
	bool good = false;

	asm volatile("1: rdmsr\n\tmovb $1, %2\n2:\n\t" HW_FAULT_ROW("2b")
		     : "+a"(low), "+d"(high), "+m"(good)
		     : "c"(msr));
	*value = (uint64_t)high << 32 | low;
	return good;
}

static inline bool hw_try_wrmsr(uint32_t msr, uint64_t value)
{
	bool good = false;

	asm volatile("1: wrmsr\n\tmovb $1, %0\n2:\n\t" HW_FAULT_ROW("2b")
		     : "+m"(good)
		     : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(msr)
		     : "memory");
	return good;
}

static inline bool hw_try_xsetbv(uint32_t index, uint64_t value)
{
	bool good = false;

	asm volatile("1: xsetbv\n\tmovb $1, %0\n2:\n\t" HW_FAULT_ROW("2b")
		     : "+m"(good)
		     : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(index)
		     : "memory");
	return good;
}

static inline uint64_t hw_xgetbv(uint32_t index)
{
	uint32_t low, high;

	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
	return (uint64_t)high << 32 | low;
}

/* From an area of 576 bytes that has none of the components, on 64: sets them to their initial
 * state. */
static inline void hw_xrstor(const void *area, uint64_t components)
{
	asm volatile("xrstor (%0)"
		     :
		     : "r"(area), "a"((uint32_t)components), "d"((uint32_t)(components >> 32))
		     : "memory");
}

static inline uint64_t hw_rdtsc(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline uint64_t hw_rdpmc(uint32_t counter)
{
	uint32_t low, high;

	asm volatile("rdpmc" : "=a"(low), "=d"(high) : "c"(counter));
	return (uint64_t)high << 32 | low;
}

#define HW_READ_CR(n)                                                                              \
	static inline uint64_t hw_read_cr##n(void)                                                 \
	{                                                                                          \
		uint64_t value;                                                                    \
		asm volatile("mov %%cr" #n ", %0" : "=r"(value));                                  \
		return value;                                                                      \
	}
#define HW_WRITE_CR(n)                                                                             \
	static inline void hw_write_cr##n(uint64_t value)                                          \
	{                                                                                          \
		asm volatile("mov %0, %%cr" #n : : "r"(value) : "memory");                         \
	}
HW_READ_CR(0)
HW_READ_CR(2)
HW_READ_CR(3)
HW_READ_CR(4)
HW_WRITE_CR(0)
HW_WRITE_CR(2)
HW_WRITE_CR(3)
HW_WRITE_CR(4)

#define HW_DR(n)                                                                                   \
	static inline uint64_t hw_read_dr##n(void)                                                 \
	{                                                                                          \
		uint64_t value;                                                                    \
		asm volatile("mov %%dr" #n ", %0" : "=r"(value));                                  \
		return value;                                                                      \
	}                                                                                          \
	static inline void hw_write_dr##n(uint64_t value)                                          \
	{                                                                                          \
		asm volatile("mov %0, %%dr" #n : : "r"(value) : "memory");                         \
	}
HW_DR(6)

/* DR0 to DR3 and DR6, as INIT leaves them; DR7 is in the VMCS. */
static inline void hw_clear_breakpoints(void)
{
	asm volatile("mov %0, %%dr0\n\tmov %0, %%dr1\n\tmov %0, %%dr2\n\tmov %0, %%dr3"
		     :
		     : "r"(UINT64_C(0)));
	hw_write_dr6(DR6_FIXED1);
}

struct hw_table {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static inline void hw_lgdt(const struct hw_table *table)
{
	asm volatile("lgdt %0" : : "m"(*table));
}

static inline void hw_lidt(const struct hw_table *table)
{
	asm volatile("lidt %0" : : "m"(*table));
}

static inline void hw_ltr(uint16_t selector)
{
	asm volatile("ltr %0" : : "r"(selector));
}

/* Loads CS by a far return, and the data segments. */
static inline void hw_load_segments(uint64_t code, uint16_t data)
{
	asm volatile("pushq %0\n\tleaq 1f(%%rip), %%rax\n\tpushq %%rax\n\tlretq\n"
		     "1:\tmovw %1, %%ds\n\tmovw %1, %%es\n\tmovw %1, %%ss\n\t"
		     "movw %2, %%fs\n\tmovw %2, %%gs"
		     :
		     : "r"(code), "r"(data), "r"((uint16_t)0)
		     : "rax", "memory");
}

static inline void hw_wbinvd(void)
{
	asm volatile("wbinvd" : : : "memory");
}

static inline void hw_pause(void)
{
	asm volatile("pause");
}

_Noreturn static inline void hw_halt_forever(void)
{
	for (;;)
		asm volatile("cli\n\thlt");
}

static inline void hw_copy(void *to, const void *from, size_t length)
{
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
}

/* The same from the last byte to the first, for overlapping areas. */
static inline void hw_copy_down(void *to, const void *from, size_t length)
{
	to = (char *)to + length - 1;
	from = (const char *)from + length - 1;
	asm volatile("std\n\trep movsb\n\tcld"
		     : "+D"(to), "+S"(from), "+c"(length)
		     :
		     : "cc", "memory");
}

static inline void hw_fill(void *to, int byte, size_t length)
{
	asm volatile("rep stosb" : "+D"(to), "+c"(length) : "a"(byte) : "memory");
}

/* CR3 and stack change, then `start` never returns: nothing of the old stack is used after this. */
_Noreturn static inline void hw_switch_memory(uint64_t cr3, void *stack, void (*start)(void))
{
	asm volatile("mov %0, %%cr3\n\tmov %1, %%rsp\n\txor %%ebp, %%ebp\n\tcall *%2\n\tud2"
		     :
		     : "r"(cr3), "r"(stack), "r"(start)
		     : "memory");
	__builtin_unreachable();
}

/*
 * VMX instructions, SDM 3C "Conventions": CF = 1 VMfailInvalid, ZF = 1 VMfailValid.
 */
static inline struct vmx_result hw_vmx_result(bool invalid, bool valid)
{
	struct vmx_result r = {.outcome = invalid ? VMX_FAIL_INVALID
					: valid ? VMX_FAIL_VALID
						: VMX_SUCCEED};
	uint64_t error;

	if (valid) {
		asm volatile("vmread %1, %0"
			     : "=r"(error)
			     : "r"((uint64_t)VMCS_INSTRUCTION_ERROR)
			     : "cc");
		r.error = (uint32_t)error;
	}
	return r;
}

/* These say only whether they succeeded: both flags in one condition. The address of the VMCS is a
 * memory operand, so it is taken from where it lies. */
#define HW_VMX_POINTER(name)                                                                       \
	static inline bool hw_##name(const uint64_t *hpa)                                          \
	{                                                                                          \
		bool good;                                                                         \
		asm volatile(#name " %1" : "=@cca"(good) : "m"(*hpa) : "memory");                  \
		return good;                                                                       \
	}
HW_VMX_POINTER(vmxon)
HW_VMX_POINTER(vmclear)
HW_VMX_POINTER(vmptrld)

/* Address of the current VMCS. */
static inline uint64_t hw_vmptrst(void)
{
	uint64_t hpa;

	asm volatile("vmptrst %0" : "=m"(hpa) : : "cc", "memory");
	return hpa;
}

static inline void hw_vmxoff(void)
{
	asm volatile("vmxoff" : : : "cc", "memory");
}

/* Of the current VMCS, a field that is known to exist. */
static inline uint64_t hw_vmread(enum vmcs_field field)
{
	uint64_t value;

	asm volatile("vmread %1, %0" : "=r"(value) : "r"((uint64_t)field) : "cc");
	return value;
}

/* The same straight to memory, for lists of fields. */
static inline void hw_vmread_to(enum vmcs_field field, uint64_t *to)
{
	asm volatile("vmread %1, %0" : "=m"(*to) : "r"((uint64_t)field) : "cc");
}

static inline void hw_vmwrite(enum vmcs_field field, uint64_t value)
{
	asm volatile("vmwrite %1, %0" : : "r"((uint64_t)field), "rm"(value) : "cc");
}

/* The same when it must be found out whether the field exists. */
static inline bool hw_try_vmread(uint64_t field, uint64_t *value)
{
	bool good;

	asm volatile("vmread %2, %1" : "=@cca"(good), "=r"(*value) : "r"(field));
	return good;
}

static inline struct vmx_result hw_try_vmwrite(uint64_t field, uint64_t value)
{
	bool invalid, valid;

	asm volatile("vmwrite %3, %2"
		     : "=@ccc"(invalid), "=@ccz"(valid)
		     : "r"(field), "rm"(value));
	return hw_vmx_result(invalid, valid);
}

struct hw_invalidation {
	uint64_t low, high;
};

static inline bool hw_invept(uint64_t type, uint64_t eptp)
{
	struct hw_invalidation descriptor = {.low = eptp};
	bool good;

	asm volatile("invept %2, %1"
		     : "=@cca"(good)
		     : "r"(type), "m"(descriptor)
		     : "memory");
	return good;
}

static inline bool hw_invvpid(uint64_t type, uint16_t vpid, uint64_t linear)
{
	struct hw_invalidation descriptor = {.low = vpid, .high = linear};
	bool good;

	asm volatile("invvpid %2, %1"
		     : "=@cca"(good)
		     : "r"(type), "m"(descriptor)
		     : "memory");
	return good;
}

#endif
