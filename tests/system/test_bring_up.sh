#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# docs/bring-up.md, done: l1/tiny with a mistake in it, and what the machine says about it.
set -u
build=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failed=0 guest=equiv
mkdir "$tree/tests"
cp -r Makefile l1 shadow "$tree"
unset MAKEFLAGS MFLAGS MAKELEVEL

# broken FILE EDIT PATTERN OPTION...: tiny with the edit made says something like that.
broken() {
	file=l1/tiny/$1 edit=$2 pattern=$3
	shift 3
	cp l1/tiny/* "$tree/l1/tiny/"
	sed -i "$edit" "$tree/$file"
	cmp -s "$file" "$tree/$file" && { echo "$file: the edit changes nothing: $edit"; failed=1; return; }
	make -s -C "$tree" O="$tree/build" "$tree/build/images/tiny.elf" >"$tree/log" 2>&1 ||
		{ echo "$file: it does not build"; cat "$tree/log"; failed=1; return; }
	timeout 60 "$build/abyme" run --machine interp --report --max-insns 1G --append rounds=1 "$@" \
		--stack "$tree/build/images/tiny.elf,$build/images/$guest.elf" >"$tree/said" 2>&1 </dev/null
	if grep -q "$pattern" "$tree/said"; then
		echo "$file: $(grep -m1 "$pattern" "$tree/said" | cut -c1-150)"
	else
		echo "$file: nothing like $pattern in: $(head -20 "$tree/said")"
		failed=1
	fi
}

broken vmcs.def 's/AR_P | DESC_TSS_BUSY/AR_P | 9/' \
	'last failed VM entry: VM entry: guest_tr_type: .*GUEST_TR_ACCESS_RIGHTS=0x89'
broken vmcs.c 's/(EXIT_HOST_ADDRESS_SPACE_SIZE | /(/' 'last failed VM entry: .*host address-space size'
broken entry.S '/vmwrite %rcx, %rax/d' ' L0 exception 6 at 3' --watch exits,exceptions
guest=exitbench
broken exits.c '/^static enum answer on_cpuid/,/^}/s/return ADVANCE/return RETRY/' 'hang: L1 is interrupted at .* by exit CPUID, and retires nothing'
guest=equiv
broken exits.c 's/ACTIVITY_HLT);/9);/; s/return false;/return true;/' 'hang: the same VM entry fails again and again'
exit $failed
