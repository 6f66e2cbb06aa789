#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Depth 0 against QEMU's TCG: the same image prints the same on both machines. Of timer only the order=
# line is compared: TCG has no TSC-deadline mode. Timers run on TCG's instruction-counted clock, for on the
# wall clock a busy host reorders them; the rest runs without it, for it changes how TCG single-steps.
set -eu
build=$1
qemu=qemu-system-x86_64
command -v $qemu >/dev/null || { echo "$qemu is missing: run .ci/setup judges"; exit 77; }
failed=0
clock= cpu=

# on_qemu IMAGE ARGS
on_qemu() {
	timeout 60 $qemu -accel tcg $clock $cpu -m 128 -kernel "$1" -append "$2" -serial stdio -display none -no-reboot \
		-device isa-debug-exit,iobase=0xf4 </dev/null
}

on_abyme() {
	timeout 60 "$build/abyme" run --mem 128M --append "$2" "$1" </dev/null
}

# compare NAME ARGS PATTERN: the lines that match must be there, and the same.
compare() {
	image=$build/images/$1.elf
	theirs=$(on_qemu "$image" "$2" | grep "$3") || theirs='(nothing)'
	ours=$(on_abyme "$image" "$2" | grep "$3") || ours="(nothing)"
	if [ "$theirs" = "$ours" ] && [ "$ours" != '(nothing)' ]; then
		echo "$1 $2: $ours" | head -1
	else
		echo "$1 $2: QEMU says $theirs, abyme says $ours"
		failed=1
	fi
}

compare hello '' hello
compare equiv 'rounds=1 verbose' '^round\|^digest='
compare equiv 'rounds=12' '^digest='
compare compute 'rounds=3' '^kernel='
compare modes 'rounds=2 verbose' '[a-z]'
cpu='-cpu max'
compare vectors 'rounds=500' '[a-z]'
# Of x87 what is exact there too: not operands of double precision, whose loads TCG flags otherwise.
compare floating 'rounds=100 verbose' '^f[a-z]* %%st[^;]*$\|^f[a-z]*s (%1)\|^f[a-z]*p [a-z]\|^sse\|vector\|done\|survives'
cpu=
clock='-icount shift=2,sleep=off'
compare timer '' '^order='
exit $failed
