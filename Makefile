# SPDX-License-Identifier: BSD-2-Clause
# Two commands do everything: `make run` and `make test`. `make help` lists the rest.
# O=DIR builds elsewhere; CC, OPT (-O2) and SAN=1 (ASan + UBSan) choose how.

O ?= build
ifeq ($(origin CC),default)
CC := gcc
endif
OPT ?= -O2
SAN ?=
PYTHON ?= python3
AR ?= ar

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wno-unused-parameter
BASE := -std=gnu11 -g $(OPT) $(WARN) -I. -MMD -MP -fno-strict-aliasing
# The interpreter's handlers chain by sibling calls (l0/machine/interp/exec.h), at -O1 too.
BASE += -foptimize-sibling-calls -fno-tree-slp-vectorize
# Each way out of a handler keeps its own jump: branch predictors tell them apart by address. (clang never merges them.)
BASE += $(if $(findstring clang,$(CC)),,-fno-crossjumping -fno-tree-tail-merge)
# Floating point on the host is IEEE 754 to the letter; no errno keeps square roots in line.
BASE += -ffp-contract=off -fno-math-errno
ifneq ($(SAN),)
BASE += -DOP_RETURNING -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SANLD := -fsanitize=address,undefined
endif
HOSTED := $(BASE) -D_GNU_SOURCE
# What runs below and above the hypervisors: no libc, no SIMD, no host instrumentation.
FREE := -std=gnu11 -g -O2 $(WARN) -I. -MMD -MP -ffreestanding -fno-strict-aliasing -fno-stack-protector \
	-fno-pic -fno-pie -mno-red-zone -mgeneral-regs-only -mcmodel=small -fno-asynchronous-unwind-tables \
	-fcf-protection=none
FREECC ?= gcc
FREELD ?= ld
HOSTLIBS := -ljansson -lm
TESTLIBS := -lcmocka -lZydis -lipt

# V=1 shows the commands.
ifeq ($(V),)
say = @printf '  %-5s %s\n' $(1) $(2)
Q := @
endif

# What is measured and compared below needs the machine that counts instructions.
export ABYME_MACHINE := interp

find_src = $(sort $(foreach d,$(1),$(wildcard $(d)/*.c)))
obj = $(patsubst %,$(O)/$(1)/%.o,$(basename $(2)))

# The KVM backend is for Linux on x86-64; elsewhere its place is kept by one that refuses.
TARGET := $(shell $(CC) -dumpmachine)
KVM_DIR := l0/machine/kvm$(if $(and $(filter x86_64-%,$(TARGET)),$(findstring linux,$(TARGET))),,/absent)

SHADOW_SRC := $(call find_src,shadow shadow/sdm shadow/checks)
MACHINE_SRC := $(call find_src,l0/machine l0/machine/debug l0/machine/gdb l0/machine/devices l0/machine/interp l0/machine/interp/fp \
	l0/machine/interp/pt l0/machine/interp/simd l0/machine/interp/vmx l0/machine/interp/x87 $(KVM_DIR) \
	traces traces/format analysis)
MAIN_SRC := l0/machine/main.c
HV_SRC := $(call find_src,l0/hv) $(wildcard l0/hv/*.S)
L1LIB_SRC := $(call find_src,l1/lib) $(wildcard l1/lib/*.S)
TINY_SRC := $(call find_src,l1/tiny) $(wildcard l1/tiny/*.S)
GUESTS := $(basename $(notdir $(wildcard l1/guests/*.c)))
TEST_GUESTS := $(basename $(notdir $(wildcard tests/guests/*.c)))

LIB_OBJ := $(call obj,host,$(filter-out $(MAIN_SRC),$(MACHINE_SRC)) $(SHADOW_SRC))
IMAGES := $(if $(wildcard l0/hv/*.c),$(O)/images/hv.elf) $(if $(TINY_SRC),$(O)/images/tiny.elf) \
	$(GUESTS:%=$(O)/images/%.elf) $(TEST_GUESTS:%=$(O)/images/%.elf) $(O)/images/sector.bin
UNIT_SRC := $(shell find tests -name 'test_*.c' 2>/dev/null | sort)
# The oracle that runs instructions natively needs an x86-64 host, and its address space free of a sanitizer's.
NATIVE_X86 := $(filter x86_64-%,$(TARGET))
ifneq ($(if $(NATIVE_X86),yes)$(SAN),yes)
UNIT_SRC := $(filter-out %/test_native.c,$(UNIT_SRC))
endif
# What tests share (fakes, oracles): every other C file below tests/, images aside.
TESTLIB_SRC := $(filter-out $(UNIT_SRC) tests/guests/% tests/oracle/native.c,\
	$(shell find tests -name '*.c' ! -name 'test_*.c' 2>/dev/null | sort)) \
	$(if $(NATIVE_X86),tests/oracle/native.c)
UNIT_BIN := $(patsubst %.c,$(O)/%,$(UNIT_SRC))

.PHONY: all images help clean unit vectors setup run test test-all linux bench style conformance fuzz
all: $(O)/abyme $(IMAGES)
images: $(IMAGES)

help:
	@echo 'make run        set up, build, measure nesting cost at depths 0 to 3'
	@echo 'make test       set up, build, run the tests'
	@echo 'make test-all   the same with the outside judges (Bochs, QEMU, clang, aarch64)'
	@echo 'make linux      a Linux with KVM to boot, build/l1/linux, from Debian packages'
	@echo 'make bench      speed, side by side with QEMU and Bochs where installed'
	@echo 'make conformance KUT=DIR   kvm-unit-tests that you built in DIR: tests/conformance/README.md'
	@echo 'make fuzz       libFuzzer over engine, VMX, nested VMX, loaders, log reader (FUZZ_SECONDS=60 each)'
	@echo 'make vectors    record results of this CPU for tests on other hosts (5 minutes)'
	@echo 'make style      measure the style bar'

$(O)/host/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(HOSTED) -c $< -o $@

# What instructions run through may be built with flags of its own.
$(O)/host/l0/machine/interp/%.o $(O)/host/shadow/%.o $(O)/host/tests/%.o: HOSTED += $(HOT)

$(O)/free/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(FREECC) $(FREE) -c $< -o $@

$(O)/free/%.o: %.S
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(FREECC) $(FREE) -D__ASSEMBLY__ -c $< -o $@

$(O)/libabyme.a: $(LIB_OBJ)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^

$(O)/abyme: $(call obj,host,$(MAIN_SRC)) $(O)/libabyme.a
	$(call say,LD,$@)
	$(Q)$(CC) $(SANLD) -o $@ $^ $(HOSTLIBS)

# The same without shared libraries, for machines that have none.
$(O)/abyme-static: $(call obj,host,$(MAIN_SRC)) $(O)/libabyme.a
	$(call say,LD,$@)
	$(Q)$(CC) -static -o $@ $^ $(HOSTLIBS)

$(O)/libshadow-free.a: $(call obj,free,$(SHADOW_SRC))
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^

$(O)/libl1.a: $(call obj,free,$(L1LIB_SRC))
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^

$(O)/images/hv.elf: $(call obj,free,$(HV_SRC)) $(O)/libshadow-free.a l0/hv/hv.ld
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(FREELD) -nostdlib -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments -T l0/hv/hv.ld -o $@ \
		$(filter %.o,$^) $(O)/libshadow-free.a

$(O)/images/tiny.elf: $(call obj,free,$(TINY_SRC) shadow/sdm/vmx.c) $(O)/libl1.a l1/lib/image.ld
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(FREELD) -nostdlib -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments -T l1/lib/image.ld -o $@ \
		$(filter %.o,$^) --whole-archive $(O)/libl1.a

# A guest is NAME.c in l1/guests or tests/guests and, if it is larger, the files of NAME/ beside it.
define GUEST_RULE
$(O)/images/$(2).elf: $(call obj,free,$(1)/$(2).c $(wildcard $(1)/$(2)/*.[cS]) $(if $(filter hostile,$(2)),shadow/sdm/vmx.c)) $(O)/libl1.a \
		l1/lib/image.ld
	@mkdir -p $$(@D)
	$(call say,LD,$$@)
	$(Q)$(FREELD) -nostdlib -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments -T l1/lib/image.ld -o $$@ \
		$$(filter %.o,$$^) --whole-archive $(O)/libl1.a
endef
$(foreach g,$(GUESTS),$(eval $(call GUEST_RULE,l1/guests,$(g))))
$(foreach g,$(TEST_GUESTS),$(eval $(call GUEST_RULE,tests/guests,$(g))))
# LLVM's assembler has no MPX and no mnemonic rex.W.
$(addprefix $(O)/free/tests/guests/,bounds.o shadows.o): FREE += $(if $(findstring clang,$(FREECC)),-fno-integrated-as)

# A boot sector: real-mode code at 0x7c00 and nothing around it.
$(O)/images/sector.bin: $(O)/free/l1/guests/sector.o
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(FREELD) -nostdlib -Ttext 0x7c00 --oformat binary -o $@ $<

# The hypervisor's parts that need no CPU of their own, hosted: physical memory is where a test maps it.
HV_TESTABLE := $(addprefix l0/hv/,map.c pool.c range.c ept01.c image.c multiboot.c loader.c linux.c options.c protect.c)
$(O)/hosted-hv/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(HOSTED) -DHV_PHYSICAL='UINT64_C(0x200000000000)' -c $< -o $@

$(O)/host/tests/l0/hv/%.o: HOSTED += -DHV_PHYSICAL='UINT64_C(0x200000000000)'

# Of the images' runtime, what touches no hardware.
L1_TESTABLE := l1/lib/guest_image.c

$(O)/libtest.a: $(call obj,host,$(TESTLIB_SRC) $(L1_TESTABLE)) $(call obj,hosted-hv,$(HV_TESTABLE))
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^

$(O)/tests/%: $(O)/host/tests/%.o $(O)/libtest.a $(O)/libabyme.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(SANLD) $< -o $@ $(O)/libtest.a $(O)/libabyme.a $(TESTLIBS) $(HOSTLIBS)

# Every unit test, one binary after the other; what failed is shown.
unit: $(UNIT_BIN)
	@tests/unit.sh $(UNIT_BIN)

# Records anew what test_vectors compares with; ABYME_ROWS=PART only the rows that PART names, and new ones.
vectors: $(O)/tests/l0/machine/interp/test_native
	@ABYME_RECORD=tests/oracle/vectors.txt $<

# ---- the commands of the README: each sets up what is missing first ----

setup:
	@.ci/setup build

run:
	@.ci/setup build figures
	@$(MAKE) --no-print-directory all
	@experiments/nesting-cost/run.sh $(O)

test: setup
	@$(MAKE) --no-print-directory all unit $(O)/libshadow-free.a
	@tests/run.sh $(O) tests/system tests/style
	@$(MAKE) --no-print-directory style

test-all:
	@.ci/setup build figures judges
	@$(MAKE) --no-print-directory linux || echo 'no Linux: its tests are skipped'
	@$(MAKE) --no-print-directory all
	@tests/run.sh $(O) tests/judges

# A Linux with KVM from Debian's packages; FLAVOUR=amd64 takes the generic kernel instead of the cloud one.
FLAVOUR ?= cloud-amd64
LINUX := $(O)/l1/linux$(if $(filter-out cloud-amd64,$(FLAVOUR)),-$(FLAVOUR))
linux:
	@.ci/setup build
	@.ci/linux-packages $(FLAVOUR) $(LINUX)/packages
	@$(MAKE) --no-print-directory all $(O)/abyme-static
	@l1/linux/make.sh $(LINUX)/packages/tree $(LINUX) $(O)

bench:
	@.ci/setup build
	@$(MAKE) --no-print-directory all
	@tests/bench/run.sh $(O)

# KUT=DIR; DEPTH, PLACE, TESTS, JOBS and SCALE as tests/conformance/README.md says.
conformance:
	@$(MAKE) --no-print-directory all
	@tests/conformance/run.sh "$(KUT)" $(O)

FUZZ_SECONDS ?= 60
fuzz:
	@$(MAKE) --no-print-directory O=$(O)/fuzz CC=clang SAN=1 OPT='-O1 -fsanitize=fuzzer-no-link' \
		HOT=-fno-sanitize-coverage=trace-cmp $(O)/fuzz/fuzzer
	@tests/fuzz/run.sh $(O)/fuzz $(FUZZ_SECONDS)

$(O)/fuzzer: $(O)/host/tests/fuzz/main.o $(O)/libtest.a $(O)/libabyme.a
	$(call say,LD,$@)
	$(Q)$(CC) $(SANLD) -fsanitize=fuzzer -o $@ $^ $(TESTLIBS) $(HOSTLIBS)

style:
	@tests/style/measure.sh

clean:
	rm -rf $(O)

.SECONDARY:
-include $(shell find $(O) -name '*.d' -type f 2>/dev/null)
