/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every opcode of every map, with every ModRM byte and mandatory prefix, on every profile: it
 * decodes just if Zydis knows it as an instruction of an extension that the profile announces. All
 * else is #UD. (test_decode_zydis.c has the lengths, and streams that no sweep would make.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <Zydis/Zydis.h>

#include "l0/machine/interp/decode_insn.h"

#define SIZE 16

/* What a profile must announce for the instructions of an extension; 0: no profile has them. */
#define ALWAYS CPU_FEATURE_BASE
static const struct {
	ZydisISAExt extension;
	uint8_t feature;
} extensions[] = {
	{ZYDIS_ISA_EXT_BASE, ALWAYS},
	{ZYDIS_ISA_EXT_LONGMODE, ALWAYS},
	{ZYDIS_ISA_EXT_PAUSE, ALWAYS},
	{ZYDIS_ISA_EXT_AMD3DNOW_PREFETCH, ALWAYS}, /* 0F 0D: a NOP where it is no prefetch */
	{ZYDIS_ISA_EXT_PREFETCHWT1, ALWAYS},
	{ZYDIS_ISA_EXT_ADOX_ADCX, CPU_FEATURE_ADX},
	{ZYDIS_ISA_EXT_AES, CPU_FEATURE_AES},
	{ZYDIS_ISA_EXT_AVX, CPU_FEATURE_AVX},
	{ZYDIS_ISA_EXT_AVX2, CPU_FEATURE_AVX2},
	{ZYDIS_ISA_EXT_AVX2GATHER, CPU_FEATURE_AVX2},
	{ZYDIS_ISA_EXT_AVXAES, CPU_FEATURE_AVX},
	{ZYDIS_ISA_EXT_BMI1, CPU_FEATURE_BMI1},
	{ZYDIS_ISA_EXT_BMI2, CPU_FEATURE_BMI2},
	{ZYDIS_ISA_EXT_CET, CPU_FEATURE_CET_SS},
	{ZYDIS_ISA_EXT_CLFLUSHOPT, CPU_FEATURE_CLFLUSHOPT},
	{ZYDIS_ISA_EXT_CLFSH, CPU_FEATURE_CLFSH},
	{ZYDIS_ISA_EXT_CLWB, CPU_FEATURE_CLWB},
	{ZYDIS_ISA_EXT_F16C, CPU_FEATURE_F16C},
	{ZYDIS_ISA_EXT_FMA, CPU_FEATURE_FMA},
	{ZYDIS_ISA_EXT_INVPCID, CPU_FEATURE_INVPCID},
	{ZYDIS_ISA_EXT_LZCNT, CPU_FEATURE_LZCNT},
	{ZYDIS_ISA_EXT_MMX, CPU_FEATURE_MMX},
	{ZYDIS_ISA_EXT_MONITOR, CPU_FEATURE_MONITOR},
	{ZYDIS_ISA_EXT_MOVBE, CPU_FEATURE_MOVBE},
	{ZYDIS_ISA_EXT_PCLMULQDQ, CPU_FEATURE_PCLMULQDQ},
	{ZYDIS_ISA_EXT_PKU, CPU_FEATURE_PKU},
	{ZYDIS_ISA_EXT_RDPID, CPU_FEATURE_RDPID},
	{ZYDIS_ISA_EXT_RDRAND, CPU_FEATURE_RDRAND},
	{ZYDIS_ISA_EXT_RDSEED, CPU_FEATURE_RDSEED},
	{ZYDIS_ISA_EXT_RDTSCP, CPU_FEATURE_RDTSCP},
	{ZYDIS_ISA_EXT_RDWRFSGS, CPU_FEATURE_FSGSBASE},
	{ZYDIS_ISA_EXT_SHA, CPU_FEATURE_SHA},
	{ZYDIS_ISA_EXT_SMAP, CPU_FEATURE_SMAP},
	{ZYDIS_ISA_EXT_SSE, CPU_FEATURE_SSE},
	{ZYDIS_ISA_EXT_SSE2, CPU_FEATURE_SSE2},
	{ZYDIS_ISA_EXT_SSE3, CPU_FEATURE_SSE3},
	{ZYDIS_ISA_EXT_SSE4, CPU_FEATURE_SSE42},
	{ZYDIS_ISA_EXT_SSSE3, CPU_FEATURE_SSSE3},
	{ZYDIS_ISA_EXT_VMFUNC, CPU_FEATURE_VMX},
	{ZYDIS_ISA_EXT_VTX, CPU_FEATURE_VMX},
	{ZYDIS_ISA_EXT_WAITPKG, CPU_FEATURE_WAITPKG},
	{ZYDIS_ISA_EXT_X87, CPU_FEATURE_FPU},
	{ZYDIS_ISA_EXT_XSAVE, CPU_FEATURE_XSAVE},
	{ZYDIS_ISA_EXT_XSAVEC, CPU_FEATURE_XSAVEC},
	{ZYDIS_ISA_EXT_XSAVEOPT, CPU_FEATURE_XSAVEOPT},
	{ZYDIS_ISA_EXT_XSAVES, CPU_FEATURE_XSAVES},
};

static bool announced(const struct decode_env *env, ZydisISAExt extension)
{
	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++)
		if (extensions[i].extension == extension)
			return env->announced[extensions[i].feature];
	return false;
}

/* Registers that do not exist, and those of a gather that are one, are #UD by their handlers. */
static bool handler_decides(const struct op *op)
{
	const struct insn_info *info = insn_info(op->row);

	for (unsigned i = 0; i < 2; i++)
		if (info->operands[i].method && strchr("CDS", info->operands[i].method))
			return true;
	return info->row.attributes & INSN_VSIB;
}

/* Where Zydis speaks of another part or leaves to the processor what is refused here at once. */
static bool known_difference(const ZydisDecodedInstruction *theirs, const struct op *op, bool ours)
{
	if (ours && handler_decides(op))
		return true;
	switch (theirs->mnemonic) {
	case ZYDIS_MNEMONIC_RSM: /* #UD outside system-management mode */
	case ZYDIS_MNEMONIC_SYSCALL: /* 64-bit mode only, on Intel's parts */
	case ZYDIS_MNEMONIC_SYSRET:
		return !ours;
	case ZYDIS_MNEMONIC_LZCNT: /* BSR, BSF with a prefix that is ignored */
	case ZYDIS_MNEMONIC_TZCNT:
		return ours;
	default:
		return false;
	}
}

struct sweep {
	struct decode_env env;
	ZydisDecoder decoder;
	unsigned bits;
	const char *profile;
	unsigned different, shown;
};

static void check(struct sweep *s, const uint8_t *bytes)
{
	ZydisDecodedInstruction theirs = {0};
	struct op op = {.off = 0};
	bool ours = decode_insn(&s->env, bytes, SIZE, &op) == DECODE_OK;
	bool valid = ZYAN_SUCCESS(
	    ZydisDecoderDecodeInstruction(&s->decoder, NULL, bytes, SIZE, &theirs));
	unsigned key = (unsigned)s->bits << 24 | bytes[0] << 16 | bytes[1] << 8 |
		       (bytes[0] == 0xc4 || bytes[1] == 0x0f ? bytes[3] : bytes[2]);
	bool wanted = valid && announced(&s->env, theirs.meta.isa_ext);

	if (ours == wanted || known_difference(&theirs, &op, ours) || s->shown == key)
		return;
	s->shown = key; /* one of each opcode */
	s->different++;
	print_message("%s, %u bits: %02x %02x %02x %02x %02x %02x: %s (%s), Zydis %s (%s)\n",
		      s->profile, s->bits, bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5],
		      ours ? insn_row(op.row)->mnemonic : "-",
		      ours ? insn_row(op.row)->encoding : "",
		      valid ? ZydisMnemonicGetString(theirs.mnemonic) : "-",
		      valid ? ZydisISAExtGetString(theirs.meta.isa_ext) : "");
}

/* The opcode at bytes[at], all values of it and of the byte behind it. */
static void sweep_opcodes(struct sweep *s, uint8_t *bytes, unsigned at)
{
	for (unsigned opcode = 0; opcode < 256; opcode++)
		for (unsigned modrm = 0; modrm < 256; modrm++) {
			bytes[at] = (uint8_t)opcode;
			bytes[at + 1] = (uint8_t)modrm;
			check(s, bytes);
		}
}

static void sweep_legacy(struct sweep *s)
{
	static const uint8_t prefixes[] = {0, 0x66, 0xf2, 0xf3};
	static const uint8_t maps[][3] = {{0}, {1, 0x0f}, {2, 0x0f, 0x38}, {2, 0x0f, 0x3a}};

	for (unsigned map = 0; map < 4; map++)
		for (unsigned p = 0; p < 4; p++) {
			uint8_t bytes[SIZE] = {prefixes[p]};
			unsigned at = p > 0;

			memcpy(bytes + at, maps[map] + 1, maps[map][0]);
			sweep_opcodes(s, bytes, at + maps[map][0]);
		}
}

/* Three-byte VEX: maps 1 to 3, W, L, pp, with vvvv unused and used; and a map that does not exist.
 */
static void sweep_vex(struct sweep *s)
{
	for (unsigned map = 0; map < 5; map++)
		for (unsigned low = 0; low < 32; low++) {
			bool used = low & 8;
			uint8_t last = (uint8_t)((low & 7) | (used ? 0x50 : 0x78) | (low & 16) << 3);
			uint8_t bytes[SIZE] = {0xc4, (uint8_t)(0xe0 | map), last};

			for (unsigned opcode = 0; opcode < 256; opcode++)
				for (unsigned modrm = 0x02; modrm < 256; modrm += 0x09) {
					bytes[3] = (uint8_t)opcode;
					bytes[4] = (uint8_t)modrm;
					check(s, bytes);
				}
		}
}

static void set_profile(struct sweep *s, const char *name)
{
	struct cpu_profile profile;
	char error[128];

	assert_true(cpu_profile_parse(name, &profile, error, sizeof(error)));
	s->profile = name;
	for (unsigned f = 0; f < CPU_FEATURE_COUNT; f++)
		s->env.announced[f] = cpu_profile_has(&profile, f);
	s->env.announced[CPU_FEATURE_BASE] = true;
}

static void every_opcode(void **state)
{
	static const struct {
		uint32_t mode;
		ZydisMachineMode machine;
		ZydisStackWidth stack;
	} modes[] = {
		{MODE_CODE16, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16},
		{MODE_CODE32, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32},
		{MODE_CODE64, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64},
	};
	static const char *const profiles[] = {"skylake", "nehalem", "sapphire-rapids"};

	insn_table_init();
	for (unsigned p = 0; p < 3; p++)
		for (unsigned m = 0; m < 3; m++) {
			struct sweep s = {.bits = 16u << m};

			set_profile(&s, profiles[p]);
			s.env.mode = modes[m].mode | MODE_FLAT;
			ZydisDecoderInit(&s.decoder, modes[m].machine, modes[m].stack);
			/* Hints: NOPs for who does not know them. */
			ZydisDecoderEnableMode(&s.decoder, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
			ZydisDecoderEnableMode(&s.decoder, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
			ZydisDecoderEnableMode(&s.decoder, ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
			sweep_legacy(&s);
			sweep_vex(&s);
			assert_int_equal(s.different, 0);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_opcode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
