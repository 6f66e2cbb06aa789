/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The decoder against Zydis: validity and length of seeded streams, random and built from prefixes,
 * table opcodes and operand bytes, in 16, 32 and 64-bit mode. ABYME_STREAMS sets how many (default
 * 1,200,000). What our table claims must be an instruction for Zydis; what Zydis knows of the ISA
 * extensions that the table covers must be one for us. Vector registers are the same ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <Zydis/Zydis.h>

#include "l0/machine/interp/decode_insn.h"

#define STREAM_SIZE 24

static uint64_t random64(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static const uint32_t modes[3] = {MODE_CODE16 | MODE_FLAT, MODE_CODE32 | MODE_FLAT,
				  MODE_CODE64 | MODE_FLAT};

static bool covered(ZydisISAExt extension)
{
	switch (extension) {
	case ZYDIS_ISA_EXT_BASE:
	case ZYDIS_ISA_EXT_AES:
	case ZYDIS_ISA_EXT_AVX:
	case ZYDIS_ISA_EXT_AVX2:
	case ZYDIS_ISA_EXT_AVX2GATHER:
	case ZYDIS_ISA_EXT_AVXAES:
	case ZYDIS_ISA_EXT_F16C:
	case ZYDIS_ISA_EXT_FMA:
	case ZYDIS_ISA_EXT_PCLMULQDQ:
	case ZYDIS_ISA_EXT_SHA:
	case ZYDIS_ISA_EXT_ADOX_ADCX:
	case ZYDIS_ISA_EXT_BMI1:
	case ZYDIS_ISA_EXT_BMI2:
	case ZYDIS_ISA_EXT_CLFLUSHOPT:
	case ZYDIS_ISA_EXT_CLFSH:
	case ZYDIS_ISA_EXT_CLWB:
	case ZYDIS_ISA_EXT_INVPCID:
	case ZYDIS_ISA_EXT_LONGMODE:
	case ZYDIS_ISA_EXT_LZCNT:
	case ZYDIS_ISA_EXT_MMX:
	case ZYDIS_ISA_EXT_MONITOR:
	case ZYDIS_ISA_EXT_MOVBE:
	case ZYDIS_ISA_EXT_MPX:
	case ZYDIS_ISA_EXT_PAUSE:
	case ZYDIS_ISA_EXT_PKU:
	case ZYDIS_ISA_EXT_RDPID:
	case ZYDIS_ISA_EXT_RDRAND:
	case ZYDIS_ISA_EXT_RDSEED:
	case ZYDIS_ISA_EXT_RDTSCP:
	case ZYDIS_ISA_EXT_RDWRFSGS:
	case ZYDIS_ISA_EXT_SMAP:
	case ZYDIS_ISA_EXT_SSE:
	case ZYDIS_ISA_EXT_SSE2:
	case ZYDIS_ISA_EXT_SSE3:
	case ZYDIS_ISA_EXT_SSE4:
	case ZYDIS_ISA_EXT_SSSE3:
	case ZYDIS_ISA_EXT_VMFUNC:
	case ZYDIS_ISA_EXT_VTX:
	case ZYDIS_ISA_EXT_WAITPKG:
	case ZYDIS_ISA_EXT_X87:
	case ZYDIS_ISA_EXT_XSAVE:
	case ZYDIS_ISA_EXT_XSAVEC:
	case ZYDIS_ISA_EXT_XSAVEOPT:
	case ZYDIS_ISA_EXT_XSAVES:
		return true;
	default:
		return false;
	}
}

/* Where Zydis and the SDM (or the part modelled) part; every entry says why. */
static bool known_difference(const ZydisDecodedInstruction *theirs, uint32_t mode, bool ours)
{
	(void)mode;
	switch (theirs->mnemonic) {
	case ZYDIS_MNEMONIC_RSM: /* #UD outside system-management mode, which there is not */
		return !ours;
	case ZYDIS_MNEMONIC_SYSCALL: /* #UD outside 64-bit mode on Intel parts */
	case ZYDIS_MNEMONIC_SYSRET:
		return !ours;
	default:
		return false;
	}
}

/* Registers that do not exist are #UD, which their handlers raise; one register for two of index,
 * mask and destination of a gather, too. */
static bool absent_register(const struct op *op)
{
	const struct insn_info *info = insn_info(op->row);

	if (info->row.attributes & INSN_VSIB)
		return op->reg == op->index || op->reg == op->vvvv || op->index == op->vvvv;
	for (unsigned i = 0; i < 2; i++) {
		switch (info->operands[i].method) {
		case 'C':
			return op->reg == 1 || (op->reg > 4 && op->reg != 8);
		case 'D':
			return op->reg > 7;
		case 'S':
			return (op->reg & 7) > SEG_GS || (i == 0 && (op->reg & 7) == SEG_CS);
		default:
			break;
		}
	}
	return false;
}

/* SDM 1 "Instruction Encoding" and "Effective Address Size of Intel MPX Instructions with 67H
 * Prefix", SDM 2 "BNDMK": what the handlers refuse while MPX is on, as it always is for Zydis. */
static bool mpx_refused(const struct op *op)
{
	const struct insn_info *info = insn_info(op->row);
	bool memory = op->flags & OP_MEMORY;

	return op->reg > 3 || (memory && op->addrsize == 2) ||
	       (op->base == REG_RIP && info->mod == MOD_MEMORY) ||
	       (!memory && info->prefix == PREFIX_66 && op->rm > 3);
}

static bool is_mpx(const struct op *op)
{
	return insn_row(op->row)->feature == CPU_FEATURE_MPX;
}

static ZydisDecoder decoders[3];

/* The number of a vector operand's register, -1: the operand is none. */
static int vector_register(const struct op *op, const struct insn_operand *operand)
{
	switch (operand->method) {
	case 'G':
		return is_mpx(op) ? op->reg : -1;
	case 'V':
	case 'P':
		return op->reg;
	case 'W':
	case 'Q':
		return op->flags & OP_MEMORY ? -1 : op->rm;
	case 'U':
	case 'N':
		return op->rm;
	case 'H':
		return op->vvvv;
	case 'L':
		return op->imm;
	default:
		return -1;
	}
}

/* Operands of vector instructions stand in the same order here and there. */
static bool same_registers(unsigned mode, const struct op *op, const uint8_t *bytes)
{
	const struct insn_info *info = insn_info(op->row);
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction theirs;
	bool vsib = info->row.attributes & INSN_VSIB;

	if (!ZYAN_SUCCESS(
		ZydisDecoderDecodeFull(&decoders[mode], bytes, STREAM_SIZE, &theirs, operands)))
		return false;
	for (unsigned i = 0; i < INSN_OPERANDS && info->operands[i].method; i++) {
		int ours = vector_register(op, &info->operands[i]);

		if (ours >= 0 && (operands[i].type != ZYDIS_OPERAND_TYPE_REGISTER ||
				  ZydisRegisterGetId(operands[i].reg.value) != ours))
			return false;
		if (vsib && info->operands[i].method == 'M' &&
		    (ZydisRegisterGetId(operands[i].mem.index) != op->index ||
		     operands[i].mem.scale != 1 << op->scale))
			return false;
	}
	return true;
}

static bool agree(unsigned mode, const uint8_t *bytes, const struct decode_env *env)
{
	ZydisDecodedInstruction theirs;
	struct op op = {.off = 0};
	enum decode_status status = decode_insn(env, bytes, STREAM_SIZE, &op);
	bool ours = status == DECODE_OK;
	bool valid = ZYAN_SUCCESS(
	    ZydisDecoderDecodeInstruction(&decoders[mode], NULL, bytes, STREAM_SIZE, &theirs));

	if (ours && !valid && is_mpx(&op) && mpx_refused(&op))
		return true;
	if (ours && valid && op.len == theirs.length && same_registers(mode, &op, bytes) &&
	    !(is_mpx(&op) && mpx_refused(&op)))
		return true;
	if (!ours && (!valid || !covered(theirs.meta.isa_ext)))
		return true;
	if (ours && !valid && absent_register(&op))
		return true;
	if (valid && known_difference(&theirs, env->mode, ours))
		return true;
	print_message("mode %u:", 16u << mode);
	for (unsigned i = 0; i < 15; i++)
		print_message(" %02x", bytes[i]);
	print_message("\n  ours: %s length %u (%s), Zydis: %s length %u (%s)\n",
		      ours ? insn_row(op.row)->mnemonic : "-", ours ? op.len : 0,
		      ours ? insn_row(op.row)->encoding : "", valid ? "valid" : "-",
		      valid ? theirs.length : 0,
		      valid ? ZydisMnemonicGetString(theirs.mnemonic) : "");
	return false;
}

/* Prefixes, an opcode of some row (or of none), and random bytes after it. */
static void make_structured(uint8_t *bytes, uint64_t *seed)
{
	static const uint8_t prefixes[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e,
					   0x36, 0x3e, 0x64, 0x65, 0x48, 0x41, 0x4f};
	static const uint8_t maps[] = {0, 1, 1, 2, 3, 4, 4, 5};
	uint64_t random = random64(seed);
	unsigned count = random & 3, map = maps[(random >> 8) % sizeof(maps)];
	uint8_t *at = bytes;

	for (unsigned i = 0; i < count; i++)
		*at++ = prefixes[random64(seed) % sizeof(prefixes)];
	if (map == 5) {
		*at++ = 0xc5;
		*at++ = (uint8_t)(0xc0 | (random >> 24 & 7) |
				  (random >> 33 & 1 ? 0x38 : random >> 34 & 0x38));
	} else if (map == 4) {
		*at++ = 0xc4;
		*at++ = (uint8_t)(0xe0 | (1 + (random >> 16) % 3));
		*at++ = (uint8_t)(random >> 24 | (random >> 33 & 1 ? 0x78 : 0)); /* vvvv: none */
	} else {
		if (map)
			*at++ = 0x0f;
		if (map > 1)
			*at++ = map == 2 ? 0x38 : 0x3a;
	}
	/* Rare opcodes would starve in the three-byte maps. */
	if (map == 2 || map == 4)
		*at++ = (random >> 40 & 3) == 1 ? (uint8_t)(0xf0 | (random >> 48 & 7))
						: (uint8_t)(random >> 48);
}

static void streams_as_zydis(void **state)
{
	const char *text = getenv("ABYME_STREAMS");
	unsigned long streams = text ? strtoul(text, NULL, 0) : 1200000, different = 0;
	struct decode_env env;
	uint64_t seed = 20;

	insn_table_init();
	memset(env.announced, true, sizeof(env.announced));
	ZydisDecoderInit(&decoders[0], ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
	ZydisDecoderInit(&decoders[1], ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
	ZydisDecoderInit(&decoders[2], ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (unsigned i = 0; i < 3;
	     i++) { /* parts of the hint space, not instructions, on this CPU */
		ZydisDecoderEnableMode(&decoders[i], ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
		ZydisDecoderEnableMode(&decoders[i], ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
	}
	for (unsigned long i = 0; i < streams && different < 40; i++) {
		uint8_t bytes[STREAM_SIZE];

		for (unsigned k = 0; k < STREAM_SIZE; k += 8) {
			uint64_t random = random64(&seed);

			memcpy(bytes + k, &random, 8);
		}
		if (i & 1)
			make_structured(bytes, &seed);
		env.mode = modes[i % 3];
		different += !agree(i % 3, bytes, &env);
	}
	assert_int_equal(different, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(streams_as_zydis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
