#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# One guest, one digest: at depths 0 to 5, over l1/tiny, with offset mappings in EPT01, and on CPUs that lack
# one VMX feature each.
set -eu
build=$1
failed=0

digest() { timeout 280 "$build/abyme" run "$@" --append rounds=2 "$build/images/equiv.elf"; }

expect=$(digest)
echo "depth 0: $expect"
case $expect in
digest=*) ;;
*) exit 1 ;;
esac

same() {
	name=$1
	shift
	got=$(digest "$@") || { echo "$name: exit status $?"; failed=1; }
	echo "$name: $got"
	[ "$got" = "$expect" ] || failed=1
}

for depth in 1 2 3 4 5; do
	same "depth $depth" --depth $depth
done
for depth in 1 2 3; do
	same "offset mappings, depth $depth" --depth $depth --hv-append map=offset
done
for feature in vpid vmcs-shadowing unrestricted-guest ept-ad ept-1g ept-2m true-controls virtual-nmis preemption-timer \
	msr-bitmaps invept invvpid; do
	same "-$feature, depth 2" --depth 2 --cpu "skylake,-$feature"
done

images=$build/images
for stack in "$images/tiny.elf" "$images/hv.elf,$images/tiny.elf" "$images/hv.elf,$images/hv.elf,$images/tiny.elf"; do
	got=$(timeout 280 "$build/abyme" run --append rounds=2 --stack "$stack,$images/equiv.elf") || failed=1
	echo "${stack##*/} ...: $got"
	[ "$got" = "$expect" ] || failed=1
done
exit $failed
