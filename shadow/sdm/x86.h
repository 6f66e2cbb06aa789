/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Architectural constants of IA-32 / Intel 64 outside VMX: control registers, EFLAGS, EFER,
 * exception vectors, page-table bits, segment access rights. Names are the SDM's. Nothing but
 * constants lives here; every environment (hosted, freestanding, portable) includes it.
 */
#ifndef SHADOW_SDM_X86_H
#define SHADOW_SDM_X86_H

#define BIT32(n) (UINT32_C(1) << (n))
#define BIT64(n) (UINT64_C(1) << (n))

/* SDM 3A "Control Registers" */
#define CR0_PE BIT64(0)
#define CR0_MP BIT64(1)
#define CR0_EM BIT64(2)
#define CR0_TS BIT64(3)
#define CR0_ET BIT64(4)
#define CR0_NE BIT64(5)
#define CR0_WP BIT64(16)
#define CR0_AM BIT64(18)
#define CR0_NW BIT64(29)
#define CR0_CD BIT64(30)
#define CR0_PG BIT64(31)

#define CR4_VME BIT64(0)
#define CR4_PVI BIT64(1)
#define CR4_TSD BIT64(2)
#define CR4_DE BIT64(3)
#define CR4_PSE BIT64(4)
#define CR4_PAE BIT64(5)
#define CR4_MCE BIT64(6)
#define CR4_PGE BIT64(7)
#define CR4_PCE BIT64(8)
#define CR4_OSFXSR BIT64(9)
#define CR4_OSXMMEXCPT BIT64(10)
#define CR4_UMIP BIT64(11)
#define CR4_LA57 BIT64(12)
#define CR4_VMXE BIT64(13)
#define CR4_SMXE BIT64(14)
#define CR4_FSGSBASE BIT64(16)
#define CR4_PCIDE BIT64(17)
#define CR4_OSXSAVE BIT64(18)
#define CR4_SMEP BIT64(20)
#define CR4_SMAP BIT64(21)
#define CR4_PKE BIT64(22)
#define CR4_CET BIT64(23)
#define CR4_PKS BIT64(24)
#define CR4_LAM_SUP BIT64(28)

#define CR3_PCID_MASK UINT64_C(0xfff)
#define CR3_LAM_U57 BIT64(61)
#define CR3_LAM_U48 BIT64(62)
#define CR3_NOFLUSH BIT64(63)

/* SDM 3A "Extended Feature Enable Register" */
#define EFER_SCE BIT64(0)
#define EFER_LME BIT64(8)
#define EFER_LMA BIT64(10)
#define EFER_NXE BIT64(11)

/* SDM 1 "EFLAGS Register" */
#define RFLAGS_CF BIT64(0)
#define RFLAGS_FIXED1 BIT64(1)
#define RFLAGS_PF BIT64(2)
#define RFLAGS_AF BIT64(4)
#define RFLAGS_ZF BIT64(6)
#define RFLAGS_SF BIT64(7)
#define RFLAGS_TF BIT64(8)
#define RFLAGS_IF BIT64(9)
#define RFLAGS_DF BIT64(10)
#define RFLAGS_OF BIT64(11)
#define RFLAGS_IOPL (UINT64_C(3) << 12)
#define RFLAGS_IOPL_SHIFT 12
#define RFLAGS_NT BIT64(14)
#define RFLAGS_RF BIT64(16)
#define RFLAGS_VM BIT64(17)
#define RFLAGS_AC BIT64(18)
#define RFLAGS_VIF BIT64(19)
#define RFLAGS_VIP BIT64(20)
#define RFLAGS_ID BIT64(21)
#define RFLAGS_STATUS                                                                              \
	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* SDM 3A "Exception and Interrupt Reference" */
enum x86_vector {
	VECTOR_DE = 0,
	VECTOR_DB = 1,
	VECTOR_NMI = 2,
	VECTOR_BP = 3,
	VECTOR_OF = 4,
	VECTOR_BR = 5,
	VECTOR_UD = 6,
	VECTOR_NM = 7,
	VECTOR_DF = 8,
	VECTOR_TS = 10,
	VECTOR_NP = 11,
	VECTOR_SS = 12,
	VECTOR_GP = 13,
	VECTOR_PF = 14,
	VECTOR_MF = 16,
	VECTOR_AC = 17,
	VECTOR_MC = 18,
	VECTOR_XM = 19,
	VECTOR_VE = 20,
	VECTOR_CP = 21,
};

/* SDM 3A "Page-Fault Exceptions", error code */
#define PFEC_P BIT32(0)
#define PFEC_W BIT32(1)
#define PFEC_U BIT32(2)
#define PFEC_RSVD BIT32(3)
#define PFEC_I BIT32(4)
#define PFEC_PK BIT32(5)
#define PFEC_SS BIT32(6)

/* SDM 3A "Debug Registers" */
#define DR6_FIXED1 UINT64_C(0xffff0ff0)
#define DR6_BD BIT64(13)
#define DR6_BS BIT64(14)
#define DR6_BT BIT64(15)
#define DR6_RTM BIT64(16) /* 0: inside a transaction; the other way round where it is pending */
#define DR7_FIXED1 BIT64(10)
#define DR7_RTM BIT64(11)
#define DR7_GD BIT64(13)

/* Paging-structure entries, SDM 3A "Hierarchical Paging Structures" */
#define PTE_P BIT64(0)
#define PTE_W BIT64(1)
#define PTE_U BIT64(2)
#define PTE_PWT BIT64(3)
#define PTE_PCD BIT64(4)
#define PTE_A BIT64(5)
#define PTE_D BIT64(6)
#define PTE_PS BIT64(7)
#define PTE_G BIT64(8)
#define PTE_KEY_SHIFT 59 /* protection key, bits 62:59 of a leaf */
#define PTE_NX BIT64(63)
#define PDPTE_RESERVED UINT64_C(0x1e6) /* PAE paging, bits 8:5 and 2:1, of one that is present */
#define PAGE_SHIFT 12
#define PAGE_SIZE UINT64_C(4096)
#define PAGE_OFFSET(a) ((a) & (PAGE_SIZE - 1))
#define PAGE_BASE(a) ((a) & ~(PAGE_SIZE - 1))

/* Segment registers in the encoding order of ModRM.reg and of the VMCS. */
enum x86_seg {
	SEG_ES,
	SEG_CS,
	SEG_SS,
	SEG_DS,
	SEG_FS,
	SEG_GS,
	SEG_LDTR,
	SEG_TR,
	SEG_COUNT,
};

/* Segment access rights in the VMCS layout, SDM 3C "Guest Register State":
 *   3:0 type | 4 S | 6:5 DPL | 7 P | 11:8 0 | 12 AVL | 13 L | 14 D/B | 15 G | 16 unusable */
#define AR_TYPE UINT32_C(0xf)
#define AR_TYPE_ACCESSED BIT32(0)
#define AR_TYPE_WRITABLE BIT32(1)   /* data */
#define AR_TYPE_READABLE BIT32(1)   /* code */
#define AR_TYPE_EXPAND_DOWN BIT32(2) /* data */
#define AR_TYPE_CONFORMING BIT32(2) /* code */
#define AR_TYPE_CODE BIT32(3)
#define AR_S BIT32(4)
#define AR_DPL_SHIFT 5
#define AR_DPL (UINT32_C(3) << AR_DPL_SHIFT)
#define AR_P BIT32(7)
#define AR_AVL BIT32(12)
#define AR_L BIT32(13)
#define AR_DB BIT32(14)
#define AR_G BIT32(15)
#define AR_UNUSABLE BIT32(16)
#define AR_RESERVED UINT32_C(0xfffe0f00)

/* System descriptor types, SDM 3A "System Descriptor Types" */
#define DESC_TSS16_AVAIL 1
#define DESC_LDT 2
#define DESC_TSS16_BUSY 3
#define DESC_CALL_GATE16 4
#define DESC_TASK_GATE 5
#define DESC_INT_GATE16 6
#define DESC_TRAP_GATE16 7
#define DESC_TSS_AVAIL 9
#define DESC_TSS_BUSY 11
#define DESC_CALL_GATE 12
#define DESC_INT_GATE 14
#define DESC_TRAP_GATE 15

/* General registers in instruction-encoding order. */
enum x86_gpr {
	REG_RAX,
	REG_RCX,
	REG_RDX,
	REG_RBX,
	REG_RSP,
	REG_RBP,
	REG_RSI,
	REG_RDI,
	REG_R8,
	REG_R9,
	REG_R10,
	REG_R11,
	REG_R12,
	REG_R13,
	REG_R14,
	REG_R15,
	REG_COUNT,
};

#endif
