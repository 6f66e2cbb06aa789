/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The hypervisor: its state, and the calls between its parts. The parts, in the order in which they
 * run: boot.S, start.c (from the loader to the first entry), map.c relocate.c pool.c (own memory),
 * loader.c multiboot.c image.c linux.c (the guest as a boot loader starts it), range.c ept01.c
 * (L1's memory), vmcs01.c, entry.S, exit.c with exits.def and the handlers, report.c (ends).
 */
#ifndef L0_HV_HV_H
#define L0_HV_HV_H

#include <stddef.h>

#include "l0/hv/bytes.h"
#include "l0/hv/console.h"
#include "l0/hv/memory.h"
#include "shadow/shadow.h"

#define HV_STACK_SIZE 16384
#define HV_EXIT_COUNTERS 128 /* the power of two above every reason */
#define HV_RECENT_EXITS 256  /* an 8-bit index wraps by itself */

/* What the command line can say. */
struct hv_options {
	bool verbose;
	bool map_offset; /* map=offset: swap two halves of RAM under the guest */
	bool nolog;      /* writes no trap log */
};

/* What the CPU beneath us offers, read once. */
struct hv_machine {
	struct vmx_caps caps;
	/* Of each control word: the low half must be 1, the high half may be. */
	uint64_t allowed[VMX_ENTRY_CONTROLS + 1];
	uint32_t level;                           /* abyme hypervisors beneath this one */
	uint64_t feature_control;                 /* IA32_FEATURE_CONTROL as firmware left it */
};

/* CPUID leaves by which a hypervisor tells itself: "abymeabymeab", and its level. */
#define HV_CPUID_SIGNATURE UINT32_C(0x40000000)
#define HV_CPUID_LEVEL UINT32_C(0x40000001)
/* ECX = n: where the n-th hypervisor beneath the asker keeps itself, EAX = first page, EBX = pages,
 * both 0 when there are not so many. */
#define HV_CPUID_REGION UINT32_C(0x40000002)
#define HV_SIGNATURE_EBX UINT32_C(0x6d796261)
#define HV_SIGNATURE_ECX UINT32_C(0x79626165)
#define HV_SIGNATURE_EDX UINT32_C(0x6261656d)

enum hv_attention {
	HV_ATTENTION_NMI = 1, /* an NMI arrived and is the guest's */
	HV_ATTENTION_LOG = 2, /* exits are logged */
	HV_ATTENTION_INIT = 8, /* INIT, which VMX root operation blocks */
	HV_ATTENTION_NEW = 4, /* an NMI came after the last look here; entry.S has the value */
};

/* An exit, as far as its row in exits.def asks for it. */
struct hv_exit {
	uint32_t reason;
	uint32_t length;
	uint64_t qualification;
};

/* A guest that has paging off, on a CPU that can't run one: it runs on an identity page table of
 * ours, and what it writes to CR3 and IA32_EFER waits here until it turns paging on. */
struct unpaged {
	bool on;
	uint64_t cr3, efer;
	uint64_t table; /* l1_gpa of the identity table, 0: the CPU has unrestricted guest */
};

/* One virtual CPU. The exit stub pushes the registers on a stack that ends with them. */
struct vcpu {
	uint8_t stack[HV_STACK_SIZE] __attribute__((aligned(4096)));
	struct shadow_regs regs; /* the RSP slot is not used: VMCS_GUEST_RSP is */
	volatile uint32_t attention; /* HV_ATTENTION_*: what the fast path must not pass by */
	struct hv_exit exit;
	uint64_t exits[HV_EXIT_COUNTERS]; /* by basic reason, L1's and L2's together */
	uint32_t recent[HV_RECENT_EXITS]; /* reasons of the last exits, for reports */
	uint8_t recent_next;
	bool launched;             /* launch state of VMCS01 */
	uint64_t vmcs01_hpa;
	struct vmcs vmcs01; /* what VMCS01 holds, but for its guest state */
	struct shadow_vcpu shadow;
	struct unpaged unpaged;
	uint64_t *msr_bitmap, *io_bitmap_a, *io_bitmap_b; /* NULL: not used */
	struct {
		uint16_t port;
		uint8_t mask; /* of it and the three above: open for one step, intercepted before */
	} open;
};

struct hv {
	struct hv_options options;
	struct hv_machine machine;
};
extern struct hv hv;
extern struct vcpu hv_vcpu;

/* The isa-debug-exit port. */
#define EXIT_PORT 0xf4
/* A port that nothing needs, intercepted so that what an intercepted port costs can be measured. */
#define MEASURED_PORT 0xed

/* Values written to the exit port when a run ends badly, so that a script can tell them apart. */
enum hv_end {
	HV_END_GUEST = 0x70,   /* the guest's mistake */
	HV_END_PANIC = 0x71,   /* our own */
	HV_END_REFUSED = 0x72, /* this machine, or this guest, can't be run */
};

/* ---- options.c ---- */
void options_parse(struct hv_options *options, const char *line);

/* ---- report.c: the three ways to stop; none returns ---- */
_Noreturn void hv_end_guest(struct vcpu *vcpu, const char *why);
_Noreturn void hv_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void hv_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Guest registers and the exit's fields of the current VMCS. */
void hv_report_guest(const struct vcpu *vcpu);

/* ---- machine.c ---- */
/* Reads what the CPU offers; refuses if the minimum is missing. */
void machine_probe(struct hv_machine *machine);
/* VMXON on this CPU, with control registers as VMX wants them. */
void machine_enter_vmx(const struct hv_machine *machine);
static inline bool machine_has(const struct hv_machine *machine, enum vmx_feature feature)
{
	return vmx_features_have(machine->caps.features, feature);
}
/* `wanted` as far as the CPU allows it, with what it demands. */
uint32_t machine_control(const struct hv_machine *machine, enum vmx_control_word word,
			 uint32_t wanted);

/* ---- desc.c: GDT, IDT, TSS of this CPU ---- */
#define HV_SELECTOR_CODE 0x08
#define HV_SELECTOR_DATA 0x10
#define HV_SELECTOR_TSS 0x18
struct hv_host_tables {
	uint64_t gdt, idt, tss;
};
void desc_load(struct hv_host_tables *tables);

/* ---- vmcs01.c ---- */
/* Creates VMCS01 and makes it current, with a guest that starts at `entry`. */
struct loader_entry;
void vmcs01_create(struct vcpu *vcpu, const struct hv_host_tables *tables, uint64_t eptp,
		   const struct loader_entry *entry);
/* Writes a field that is not guest state to VMCS01, which is current, and to its image. */
void vmcs01_write(struct vcpu *vcpu, enum vmcs_field field, uint64_t value);

/* ---- guest.c: small things that handlers do to the guest of the current VMCS ---- */
void guest_inject(uint8_t vector);
void guest_inject_code(uint8_t vector, uint32_t code);
/* The NMI that HV_ATTENTION_NMI stands for: injects it, or makes it the VM exit that L1 has asked
 * for, or has the CPU tell when the guest can take it. */
void guest_deliver_nmi(struct vcpu *vcpu);
/* INIT that HV_ATTENTION_INIT stands for: resets L1, is an exit of L2, or has to wait (init.c). */
void guest_deliver_init(struct vcpu *vcpu);

/* ---- cr.c ---- */
/* MOV to CR0 or CR4 of L1 with all its consequences. False: #GP(0). */
bool cr0_write(struct vcpu *vcpu, uint64_t value) __attribute__((warn_unused_result));
bool cr4_write(struct vcpu *vcpu, uint64_t value) __attribute__((warn_unused_result));
bool cr3_write(struct vcpu *vcpu, uint64_t value) __attribute__((warn_unused_result));
bool efer_write(struct vcpu *vcpu, uint64_t value) __attribute__((warn_unused_result));
/* IA32_EFER of the guest of the current VMCS, as the CPU has it. */
uint64_t efer_get(void);
void efer_set(uint64_t value);
/* As L1 sees them. */
uint64_t cr0_read(const struct vcpu *vcpu);
uint64_t cr3_read(const struct vcpu *vcpu);
uint64_t efer_read(const struct vcpu *vcpu);

/* ---- unpaged.c ---- */
/* Makes the identity table and its range; nothing where the CPU has unrestricted guest. */
void unpaged_prepare(struct unpaged *unpaged);
/* The guest of VMCS01 goes to, or leaves, the identity table. CR0, CR4 are the caller's. */
void unpaged_enter(struct vcpu *vcpu);
void unpaged_leave(struct vcpu *vcpu);
/* CR4 as the CPU needs it for a guest that sees `cr4`. */
uint64_t unpaged_cr4(const struct vcpu *vcpu, uint64_t cr4);
/* Bits of CR0 and CR4 that are ours because of it. */
uint64_t unpaged_cr0_mask(const struct unpaged *unpaged);
uint64_t unpaged_cr4_mask(const struct unpaged *unpaged);

/* ---- cpuid.c ---- */
/* Reads the leaves once: an answer from memory costs no exit to a hypervisor beneath us. */
void cpuid_init(void);

/* ---- pebs.c: IA32_PEBS_ENABLE and IA32_PERF_GLOBAL_CTRL as the guest has them ---- */
bool pebs_read_msr(uint32_t msr, uint64_t *value);
bool pebs_write_msr(struct vcpu *vcpu, uint32_t msr, uint64_t value);

/* ---- trace.c ---- */
/* May the guest have Intel PT? */
bool trace_is_safe(void);
/* Its registers, and IA32_XSS, where they exit. False: #GP. */
bool trace_read_msr(uint32_t msr, uint64_t *value);
bool trace_write_msr(uint32_t msr, uint64_t value);

/* ---- io.c ---- */
/* The bits of the ports that exit. */
void io_bitmaps_fill(struct vcpu *vcpu);

/* ---- mpx.c ---- */
struct cpuid_regs; /* hw.h */
/* Finds out whether the guest can have MPX; if not, it is hidden from it. */
void mpx_init(void);
bool mpx_is_hidden(void);
/* What CPUID answers without it; nothing if it is not hidden. */
void mpx_hide(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out);
bool mpx_allows_xcr0(uint64_t value);
/* IA32_BNDCFGS of the guest of the current VMCS. False: #GP(0). */
bool mpx_read_msr(uint64_t *value);
bool mpx_write_msr(struct vcpu *vcpu, uint64_t value);
/* INIT. */
void mpx_reset(void);

/* ---- msr.c ---- */
/* The bitmap of MSRs that exit: all that are not passed through. */
void msr_bitmap_fill(const struct vcpu *vcpu, uint64_t *bitmap);
/* WRMSR of a low MSR exits from now on, or no longer; the caller tells shadow/. */
void msr_intercept_write(struct vcpu *vcpu, uint32_t msr, bool on);
/* RDMSR and WRMSR by L1. False: #GP(0). */
bool msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);

/* ---- env.c ---- */
/* Gives shadow/ its environment; VMCS01 is complete. */
void env_start(struct vcpu *vcpu);

/* ---- exit.c, called by entry.S ---- */
/* Handles an exit. True: VMRESUME, false: VMLAUNCH. */
bool exit_handle(struct shadow_regs *regs);
/* VMLAUNCH or VMRESUME itself failed, with CF (invalid) or ZF (valid) set. As exit_handle. */
bool exit_entry_failed(struct shadow_regs *regs, bool invalid, bool valid);

/* Called by entry.S instead of entering at once while vcpu->attention is not 0; returns `launched`.
 */
bool exit_attend(struct shadow_regs *regs, bool launched);

/* ---- entry.S ---- */
_Noreturn void entry_first(struct shadow_regs *regs); /* VMLAUNCH with vcpu->regs */
void entry_exit_stub(void);                    /* HOST_RIP */

#endif
