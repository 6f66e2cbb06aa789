/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rows of the instruction table that one user-mode instruction in 64-bit mode cannot show.
 */
#include "tests/oracle/insn_gen.h"

#include <stdlib.h>
#include <string.h>

#include "tests/oracle/among.h"

/* By mnemonic; operands with a segment
 * register too. */
static const char *const privileged[] = {
    "JMPF",    "CALLF",	   "RETF",     "INT3",	 "INT",	    "INT1",    "IRET",	  "SYSCALL",
    "SYSRET",  "SYSENTER", "SYSEXIT",  "CLI",	 "STI",	    "CLAC",    "STAC",	  "INS",
    "OUTS",    "IN",	   "OUT",      "HLT",	 "POPF",    "LLDT",    "LTR",	  "LGDT",
    "LIDT",    "LMSW",	   "INVLPG",   "SWAPGS", "CLTS",    "INVD",    "WBINVD",  "INVPCID",
    "MONITOR", "MWAIT",	   "WRMSR",    "RDMSR",	 "RDPMC",   "XSETBV",  "XRSTORS", "XSAVES",
    "VMCALL",  "VMLAUNCH", "VMRESUME", "VMXOFF", "VMFUNC",  "VMCLEAR", "VMXON",	  "VMPTRLD",
    "VMPTRST", "VMREAD",   "VMWRITE",  "INVEPT", "INVVPID",
};
static const char *const environment[] = {
    "SLDT",    "STR",	  "SGDT",    "SIDT",  "SMSW",	  "VERR",     "VERW",	  "LAR",
    "LSL",     "LSS",	  "LFS",     "LGS",   "RDFSBASE", "RDGSBASE", "WRFSBASE", "WRGSBASE",
    "RDTSC",   "RDTSCP",  "RDPID",   "CPUID", "RDRAND",	  "RDSEED",   "XGETBV",	  "FXSAVE",
    "FXRSTOR", "LDMXCSR", "STMXCSR", "WAIT",  "PUSHF",	  "VLDMXCSR", "VSTMXCSR",
};

static bool uses_segment(const struct insn_row *row)
{
	return strstr(row->operands, "Sw") || !strcmp(row->operands, "FS") ||
	       !strcmp(row->operands, "GS");
}

static bool not_in_64bit(const struct insn_row *row)
{
	static const char *const legacy[] = {"DAA",  "DAS",  "AAA", "AAS", "AAM",  "AAD",   "BOUND",
					     "ARPL", "SALC", "LES", "LDS", "INTO", "PUSHA", "POPA"};
	unsigned opcode = strtoul(row->encoding, NULL, 16);
	bool one_byte = row->encoding[2] != ' ' || row->encoding[3] == '/' || !row->encoding[2];

	return AMONG(legacy, row->mnemonic) || (one_byte && !strncmp(row->encoding, "82", 2)) ||
	       (one_byte && row->encoding[2] == '+' && (opcode == 0x40 || opcode == 0x48)) ||
	       (!strcmp(row->mnemonic, "PUSH") && strlen(row->operands) == 2 &&
		row->operands[1] == 'S') ||
	       (!strcmp(row->mnemonic, "POP") && strlen(row->operands) == 2 &&
		row->operands[1] == 'S');
}

const char *insn_gen_excluded(const struct insn_row *row)
{
	if (AMONG(privileged, row->mnemonic))
		return "privileged or a far transfer";
	if (AMONG(environment, row->mnemonic) || uses_segment(row))
		return "shows the environment";
	if (not_in_64bit(row))
		return "not in 64-bit mode";
	return NULL;
}
