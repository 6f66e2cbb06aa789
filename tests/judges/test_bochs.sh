#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The same stack on Bochs, a VMX implementation that nobody here wrote: same guest results at depths 0, 1, 2
# and over l1/tiny as on the interpreter.
set -u
build=$1
images=$build/images
guest="$images/equiv.elf rounds=1"
expect=$("$build/abyme" run --append rounds=1 "$images/equiv.elf") || exit 1
echo "interpreter: $expect"
failed=0

same() {
	name=$1
	shift
	got=$(tests/bochs/run.sh -t 300 "$@")
	status=$?
	[ $status = 77 ] && { echo "Bochs or grub-mkrescue is missing: run .ci/setup judges"; exit 77; }
	got=$(echo "$got" | grep digest= | tr -d '\r')
	echo "$name: $got"
	[ "$got" = "$expect" ] || failed=1
}

same "depth 0" "$guest"
same "depth 1" "$images/hv.elf" "$guest"
same "depth 2" "$images/hv.elf" "$images/hv.elf" "$guest"
same "l1/tiny" "$images/tiny.elf" "$guest"
same "hv, l1/tiny" "$images/hv.elf" "$images/tiny.elf" "$guest"
exit $failed
