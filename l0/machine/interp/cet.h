/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Control-flow enforcement, SDM 1 "Control-Flow Enforcement Technology (CET)": when it is on,
 * what shadow stacks make of control transfers, and the tracker of indirect branches. A transfer
 * does what may fault first, and sets cpu->cet.ssp with the other registers.
 */
#ifndef L0_MACHINE_INTERP_CET_H
#define L0_MACHINE_INTERP_CET_H

#include "l0/machine/interp/cpu.h"

/* Error codes of #CP, SDM 3A "Interrupt 21--Control Protection Exception (#CP)". */
enum cp_error { CP_NEAR_RET = 1, CP_FAR_RET_IRET, CP_ENDBRANCH, CP_RSTORSSP, CP_SETSSBSY };

/* The bits are set of the control register that privilege `cpl` goes by, in protected mode. */
static inline bool cet_set(const struct cpu *cpu, unsigned cpl, uint64_t bits)
{
	uint64_t control = cpl == 3 ? cpu->cet.u_cet : cpu->cet.s_cet;

	return (cpu->cr4 & CR4_CET) && cpu_protected(cpu) && (control & bits) == bits;
}

/* CET is on for the code that runs. */
static inline bool cet_on(const struct cpu *cpu)
{
	return (cpu->cr4 & CR4_CET) && cpu_protected(cpu) && !cpu_vm86(cpu);
}

static inline bool cet_shadow_stack(const struct cpu *cpu)
{
	return cet_on(cpu) && cet_set(cpu, cpu->cpl, CET_SH_STK_EN);
}

/* How privilege `cpl` reaches its shadow stack: for lin_read and lin_write. */
static inline unsigned cet_access(unsigned cpl)
{
	return MEM_SHADOW_STACK | (cpl == 3 ? MEM_USER : MEM_IMPLICIT_SUPERVISOR);
}

/* ---- cet_msrs.c: IA32_U_CET and IA32_S_CET for msrs.def; false: #GP(0) ---- */
bool read_u_cet(struct cpu *cpu, uint64_t *value);
bool write_u_cet(struct cpu *cpu, uint64_t value);
bool read_s_cet(struct cpu *cpu, uint64_t *value);
bool write_s_cet(struct cpu *cpu, uint64_t value);
/* Whether IA32_U_CET and the SSP of privilege 3 may be loaded so by XRSTORS, which checks them as
 * WRMSR does; and the SSPs of the others. */
bool cet_user_state_valid(const struct cpu *cpu, const uint64_t state[2]);
bool cet_supervisor_state_valid(const struct cpu *cpu, const uint64_t state[3]);

/* ---- cet.c ---- */
/* A near indirect CALL or JMP has been done; notrack: with the prefix. */
void cet_track_near(struct cpu *cpu, bool notrack);
/* A far transfer or an event has reached privilege cpu->cpl. */
void cet_track_far(struct cpu *cpu);
/* ENDBRANCH: the tracker is idle again. */
void cet_endbranch(struct cpu *cpu);
/* Something else than ENDBRANCH while it is waited for: raises #CP, unless the legacy code page
 * bitmap excuses it; then the instruction is to be begun again. */
void cet_miss_endbranch(struct cpu *cpu);

/* ---- shadow_stack.c ---- */
/* CALL pushes `value` (8 bytes with an operand of 8, else 4); near RET compares `target`. */
void cet_near_call(struct cpu *cpu, unsigned opsize, uint64_t value);
void cet_near_return(struct cpu *cpu, unsigned opsize, uint64_t target);

/* Reads the token at `at` and, if it is `expected`, writes `token`. False: it is not. */
bool cet_exchange_token(struct cpu *cpu, uint64_t at, uint64_t expected, uint64_t token,
			unsigned access);

/* A far CALL, or an event, that goes to `cpl` with the return address `lip` (linear). */
struct cet_call {
	unsigned cpl;
	bool code64;	/* the code gone to is */
	bool switches;	/* to the shadow stack at `ssp` with a token: another privilege, an IST */
	uint64_t ssp, lip;
};
/* Pushes what is to be pushed; the SSP to go on with. Without shadow stacks there: cet.ssp. */
uint64_t cet_call(struct cpu *cpu, const struct cet_call *call);
/* The old code ran at privilege 3: its SSP is kept in IA32_PL3_SSP. */
void cet_leave_user(struct cpu *cpu);
/* #GP(0) if code that is not 64-bit code would go on with an SSP above 4 GiB. */
void cet_check_legacy(struct cpu *cpu, bool code64);

/* Far RET or IRET to selector:lip; compares, frees the token that is done with. */
struct cet_return {
	uint16_t selector;
	uint64_t lip;
	unsigned cpl;
	bool code64;
	bool iret;
};
/* The SSP to go on with. */
uint64_t cet_return(struct cpu *cpu, const struct cet_return *ret);
/* IRET to virtual-8086 mode. */
void cet_return_vm86(struct cpu *cpu);

#endif
