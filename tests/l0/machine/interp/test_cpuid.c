/* SPDX-License-Identifier: BSD-2-Clause
 *
 * CPU profiles and CPUID: parsing --cpu, the closure under "needs", what follows from it in CPUID,
 * in the CR4 and EFER masks and in the VMX capabilities.
 */
#include "tests/l0/machine/interp/fixture.h"

WEAK void vmx_intercept_insn(struct cpu *cpu, enum vmx_exit_reason reason, uint64_t qualification)
{
	seen.intercepted++;
}

static bool parse(const char *spec, struct cpu_profile *profile)
{
	char error[160] = "";
	bool parsed = cpu_profile_parse(spec, profile, error, sizeof(error));

	assert_int_equal(parsed, !error[0]);
	assert_null(strchr(error, '\n'));
	return parsed;
}

static void test_parse(void **state)
{
	struct cpu_profile p;
	char error[160];

	assert_true(parse(NULL, &p));
	assert_string_equal(p.name, "skylake");
	assert_true(parse("", &p));
	assert_true(parse(",-smap", &p));
	assert_string_equal(p.name, "skylake");
	assert_false(cpu_has(&p, SMAP));
	assert_true(parse("nehalem", &p));
	assert_int_equal(p.model, 26);
	static const char *const bad[] = {
	    "z80",	 "skylake,smap", "skylake,+",	      "skylake,-",
	    "skylake,,", "skylake,",	 "skylake,-nonsense", "skylake,*smap"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(parse(bad[i], &p));
	assert_false(cpu_profile_parse("skylake,-nonsense", &p, error, sizeof(error)));
	assert_non_null(strstr(error, "-nonsense"));
	assert_non_null(strstr(error, "--cpu help"));
}

static void test_needs(void **state)
{
	struct cpu_profile p;

	assert_true(parse("skylake,-lm", &p));
	assert_false(cpu_has(&p, CX16));
	assert_false(cpu_has(&p, PCID));
	assert_false(cpu_has(&p, INVPCID)); /* through PCID */
	assert_false(cpu_has(&p, VMX));
	assert_int_equal(p.caps.features, 0);
	assert_int_equal(p.caps.cr4_valid & (CR4_PCIDE | CR4_VMXE | CR4_FSGSBASE), 0);
	assert_int_equal(p.caps.efer_valid, EFER_NXE);
	assert_true(parse("skylake,-ept", &p));
	for (unsigned f = 0; f < VMX_FEATURE_COUNT; f++)
		if (f == VMX_FEATURE_EPT || f == VMX_FEATURE_PML ||
		    f == VMX_FEATURE_UNRESTRICTED_GUEST || f == VMX_FEATURE_EPT_AD ||
		    f == VMX_FEATURE_INVEPT || f == VMX_FEATURE_MODE_BASED_EXECUTE)
			assert_false(vmx_features_have(p.caps.features, f));
	assert_true(vmx_features_have(p.caps.features, VMX_FEATURE_VPID));
	assert_int_equal(vmx_cap(&p.caps, PROCBASED_CTLS2) >> 32 & SECONDARY_ENABLE_EPT, 0);
	/* On again, with what it needs. */
	assert_true(parse("skylake,-ept,+pml", &p));
	assert_true(vmx_features_have(p.caps.features, VMX_FEATURE_EPT));
	assert_true(vmx_features_have(p.caps.features, VMX_FEATURE_EPT_AD));
	assert_false(vmx_features_have(p.caps.features, VMX_FEATURE_EPT_1G));
	assert_true(parse("skylake,-rdtscp", &p));
	assert_false(vmx_features_have(p.caps.features, VMX_FEATURE_RDTSCP));
	assert_true(parse("skylake,-pcid", &p));
	assert_false(vmx_features_have(p.caps.features, VMX_FEATURE_INVPCID));
}

/* Every feature can be switched off alone, and one that is off takes all that needs it along. */
static void test_closure(void **state)
{
	for (unsigned f = 0; f < CPU_FEATURE_COUNT; f++) {
		struct cpu_profile p;
		char spec[64];

		snprintf(spec, sizeof(spec), "skylake,-%s", cpu_features[f].text);
		assert_true(parse(spec, &p));
		assert_false(cpu_profile_has(&p, f));
		snprintf(spec, sizeof(spec), "skylake,+%s", cpu_features[f].text);
		assert_true(parse(spec, &p));
		assert_true(cpu_profile_has(&p, f));
		for (unsigned g = 0; g < CPU_FEATURE_COUNT; g++)
			if (cpu_profile_has(&p, g) && cpu_features[g].needs != CPU_FEATURE_NONE)
				assert_true(cpu_profile_has(&p, cpu_features[g].needs));
	}
}

/* No two features share a name or a CPUID bit. */
static void test_features_are_distinct(void **state)
{
	static const char *const vmx_names[] = {
#define VMX_FEATURE(name, text, needs) text,
#include "shadow/sdm/features.def"
#undef VMX_FEATURE
	};

	for (unsigned f = 0; f < CPU_FEATURE_COUNT; f++) {
		const struct cpu_feature_info *a = &cpu_features[f];

		for (unsigned g = 0; g < f; g++) {
			const struct cpu_feature_info *b = &cpu_features[g];

			assert_string_not_equal(a->text, b->text);
			assert_false(a->leaf == b->leaf && a->subleaf == b->subleaf &&
				     a->reg == b->reg && a->bit == b->bit);
		}
		for (unsigned v = 0; v < VMX_FEATURE_COUNT; v++)
			assert_string_not_equal(a->text, vmx_names[v]);
	}
}

/* Each feature's bit is 1 exactly when the profile has it; CR4 and 64-bit mode aside. */
static void test_bits(void **state)
{
	static const char *const specs[] = {"skylake", "nehalem",
					    "skylake,-x2apic,-smap,-tsc-deadline,-nx"};

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct fixture *f = fixture_new(specs[i]);

		f->cpu.efer = EFER_LMA;
		f->cpu.msrs.misc_enable = MISC_ENABLE_MONITOR;
		f->cpu.seg[SEG_CS].ar = AR_L;
		for (unsigned n = 0; n < CPU_FEATURE_COUNT; n++) {
			const struct cpu_feature_info *info = &cpu_features[n];
			uint32_t out[4];

			cpu_cpuid(&f->cpu, info->leaf, info->subleaf, out);
			assert_int_equal(out[info->reg] >> info->bit & 1,
					 cpu_profile_has(&f->profile, n));
		}
		fixture_free(f);
	}
}

static void test_leaves(void **state)
{
	struct fixture *f = fixture_new(NULL);
	uint32_t out[4], last[4];

	cpu_cpuid(&f->cpu, 0, 0, out);
	assert_int_equal(out[0], 0x16);
	assert_memory_equal(&out[1], "Genu", 4);
	assert_memory_equal(&out[3], "ineI", 4);
	assert_memory_equal(&out[2], "ntel", 4);
	cpu_cpuid(&f->cpu, 1, 0, out);
	assert_int_equal(out[0], 0x00050654); /* family 6, model 85, stepping 4 */
	assert_int_equal(out[CPUID_ECX] & BIT32(27), 0);
	assert_int_equal(out[CPUID_EDX] & BIT32(0), BIT32(0));
	f->cpu.cr4 = CR4_OSXSAVE;
	cpu_cpuid(&f->cpu, 1, 0, out);
	assert_int_equal(out[CPUID_ECX] & BIT32(27), BIT32(27));
	cpu_cpuid(&f->cpu, 7, 1, out);
	assert_int_equal(out[0] | out[1] | out[2] | out[3], 0);
	cpu_cpuid(&f->cpu, 0xb, 1, out);
	assert_int_equal(out[CPUID_ECX], 0x201);
	cpu_cpuid(&f->cpu, 0xb, 5, out);
	assert_int_equal(out[CPUID_EBX], 0);
	assert_int_equal(out[CPUID_ECX], 5);
	/* TSC = crystal * EBX / EAX, in Hz. */
	cpu_cpuid(&f->cpu, 0x15, 0, out);
	assert_int_equal((uint64_t)out[CPUID_ECX] * out[CPUID_EBX] / out[CPUID_EAX], MACHINE_HZ);
	cpu_cpuid(&f->cpu, 0x16, 0, last);
	cpu_cpuid(&f->cpu, 0x17, 0, out);
	assert_memory_equal(out, last, sizeof(out));
	cpu_cpuid(&f->cpu, 0x40000000, 0, out);
	assert_memory_equal(out, last, sizeof(out));
	cpu_cpuid(&f->cpu, 0x80000009, 0, out);
	assert_memory_equal(out, last, sizeof(out));
	cpu_cpuid(&f->cpu, 0x80000008, 0, out);
	assert_int_equal(out[0], 48 << 8 | 46);
	cpu_cpuid(&f->cpu, 0xa, 0, out);
	assert_int_equal(out[0] & 0xff, 4);
	assert_int_equal(out[CPUID_EDX] & 0x1f, 3);
	fixture_free(f);
}

static void test_syscall_bit_is_for_64bit_code(void **state)
{
	struct fixture *f = fixture_new(NULL);
	struct op op = {.len = 2};

	f->cpu.gpr[REG_RAX] = 0x80000001;
	insn_cpuid(&f->cpu, &op);
	assert_int_equal(f->cpu.gpr[REG_RDX] & BIT32(11), 0);
	f->cpu.efer = EFER_LMA;
	f->cpu.seg[SEG_CS].ar = AR_L;
	f->cpu.gpr[REG_RAX] = 0x80000001;
	insn_cpuid(&f->cpu, &op);
	assert_int_equal(f->cpu.gpr[REG_RDX] & BIT32(11), BIT32(11));
	fixture_free(f);
}

static void test_instruction(void **state)
{
	struct fixture *f = fixture_new(NULL);
	struct op op = {.len = 2};

	f->cpu.gpr[REG_RAX] = UINT64_C(0xffffffff00000000);
	f->cpu.gpr[REG_RCX] = UINT64_MAX;
	insn_cpuid(&f->cpu, &op);
	assert_int_equal(seen.intercepted, 1);
	assert_int_equal(f->cpu.gpr[REG_RAX], 0x16);
	assert_int_equal(f->cpu.gpr[REG_RCX], 0x6c65746e);
	fixture_free(f);
}

/* Leaf 0xD: sizes follow XCR0 and IA32_XSS, and the components those that the part has. */
static void test_xsave_leaves(void **state)
{
	static const struct {
		const char *part;
		uint64_t xcr0;
		uint32_t subleaf, out[4];
	} cases[] = {
	    {"skylake", 1, 0, {0x1f, 576, 1088, 0}},
	    {"skylake", 3, 0, {0x1f, 576, 1088, 0}},
	    {"skylake", 7, 0, {0x1f, 832, 1088, 0}},
	    {"skylake", 0x1f, 0, {0x1f, 1088, 1088, 0}},
	    {"cascade-lake", 0x1b, 0, {0x1f, 1088, 1088, 0}},
	    {"skylake,-mpx", 7, 0, {7, 832, 832, 0}},
	    {"sapphire-rapids", 7, 0, {0x207, 832, 2696, 0}},
	    {"skylake,-avx,-mpx", 3, 0, {3, 576, 576, 0}},
	    {"skylake,+pku", 7, 0, {0x21f, 832, 2696, 0}},
	    {"skylake,+pku", 0x203, 0, {0x21f, 2696, 2696, 0}},
	    {"skylake", 3, 1, {15, 576, 0x100, 0}},
	    {"skylake,+pku", 0x207, 1, {15, 840, 0x100, 0}},
	    {"skylake", 1, 8, {128, 0, 1, 0}},
	    {"skylake,-intel-pt", 3, 1, {15, 576, 0, 0}},
	    {"skylake,-intel-pt", 1, 8, {0, 0, 0, 0}},
	    {"skylake,-xsavec", 7, 1, {5, 0, 0, 0}},
	    {"skylake", 1, 2, {256, 576, 0, 0}},
	    {"skylake,-avx", 1, 2, {0, 0, 0, 0}},
	    {"skylake", 0x1f, 1, {15, 960, 0x100, 0}},
	    {"skylake", 0x1b, 1, {15, 704, 0x100, 0}},
	    {"skylake", 1, 3, {64, 960, 0, 0}},
	    {"skylake", 1, 4, {64, 1024, 0, 0}},
	    {"skylake,-mpx", 1, 3, {0, 0, 0, 0}},
	    {"sapphire-rapids", 1, 4, {0, 0, 0, 0}},
	    {"skylake", 1, 9, {0, 0, 0, 0}},
	    {"skylake,+pku", 1, 9, {8, 2688, 0, 0}},
	    {"skylake,-xsave", 1, 0, {0, 0, 0, 0}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f = fixture_new(cases[i].part);
		uint32_t out[4];

		f->cpu.xcr0 = cases[i].xcr0;
		cpu_cpuid(&f->cpu, 0xd, cases[i].subleaf, out);
		assert_memory_equal(out, cases[i].out, sizeof(out));
		fixture_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_xsave_leaves),
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_needs),
	    cmocka_unit_test(test_closure),
	    cmocka_unit_test(test_features_are_distinct),
	    cmocka_unit_test(test_bits),
	    cmocka_unit_test(test_leaves),
	    cmocka_unit_test(test_syscall_bit_is_for_64bit_code),
	    cmocka_unit_test(test_instruction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
