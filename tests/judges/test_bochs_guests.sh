#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Bochs as the judge of the guests and of l1/tiny: the digests that abyme prints, "strict" included (what
# QEMU's TCG does otherwise than the SDM), alone and over tiny; and roundtrip, which needs VMX.
set -eu
build=$1
images=$build/images
failed=0

bochs() {
	tests/bochs/run.sh -t 120 "$@"
}

# compare NAME EXPECTED COMMAND...
compare() {
	name=$1
	expected=$2
	shift 2
	status=0
	got=$("$@" 2>&1) || status=$?
	[ $status != 77 ] || { echo "$got"; exit 77; }
	[ $status = 0 ] || { echo "$name: exit status $status"; failed=1; }
	if [ "$got" = "$expected" ]; then
		echo "$name: $got"
	else
		echo "$name: Bochs says $got, abyme says $expected"
		failed=1
	fi
}

for arguments in 'rounds=1' 'rounds=2 strict'; do
	expected=$(timeout 60 "$build/abyme" run --append "$arguments" "$images/equiv.elf")
	case $expected in
	digest=*) ;;
	*) echo "abyme prints no digest: $expected"; exit 1 ;;
	esac
	compare "equiv $arguments" "$expected" bochs "$images/equiv.elf $arguments"
	compare "equiv $arguments over tiny" "$expected" bochs "$images/tiny.elf" "$images/equiv.elf $arguments"
done

for word in strict tasks; do
	expected=$(timeout 60 "$build/abyme" run --append $word "$images/modes.elf")
	compare "modes $word" "$expected" bochs "$images/modes.elf $word"
done

for guest in vectors floating; do
	expected=$(timeout 60 "$build/abyme" run --append strict "$images/$guest.elf")
	compare "$guest strict" "$expected" bochs "$images/$guest.elf strict"
done

# CET. Bochs 2.7 frees a token at any IRETQ, says the opposite by CLRSSBSY's CF, and calls what exchanges a token a
# read in the error code of a page fault (SDM 2A "CLRSSBSY", 2A "IRET").
agreed() { grep -Ev '^(int_iret|endbr_iret|clrssbsy|clrssbsy_other|clrssbsy_plain|rstorssp_plain): '; }
expected=$(timeout 60 "$build/abyme" run --cpu sapphire-rapids "$images/shadows.elf" | agreed)
shadows() { bochs -c tigerlake "$images/shadows.elf" | agreed; }
compare shadows "$expected" shadows

# Bochs has no fixed counter, so of roundtrip only the items are compared.
items() { sed 's/ .*//'; }
expected=$(timeout 60 "$build/abyme" run "$images/roundtrip.elf" | items)
roundtrip() { bochs "$images/roundtrip.elf" | items; }
compare roundtrip "$expected" roundtrip
exit $failed
