#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A run that gets nowhere ends as a hang with the state of every level, bare and above hypervisors; one
# that makes progress never does, however it looks.
set -u
build=$1
images=$build/images
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
failed=0

# ends STATUS PATTERN OPTION...: the run's exit status, and a line of what it says.
ends() {
	want=$1 pattern=$2
	shift 2
	timeout 60 "$build/abyme" run --machine interp --report "$@" >"$out/said" 2>&1 </dev/null
	status=$?
	if [ $status != "$want" ] || ! grep -q "$pattern" "$out/said"; then
		echo "FAILED: $*: status $status, not $want, or nothing like $pattern in:"
		head -5 "$out/said"
		failed=1
	fi
}

hangs=$images/hangs.elf
for depth in 0 1 2; do
	set -- --depth $depth --hang 1000
	who="hang: L$depth is interrupted at .* again and again, by"
	ends 80 'sleeps with interrupts off, and no event wakes it' "$@" --append deaf "$hangs"
	ends 80 "$who exception 6," "$@" --append fault "$hangs"
	ends 80 "$who exception 6," "$@" --append fault-ticking "$hangs"
	ends 80 "$who exception 6," "$@" --append handler "$hangs"
	ends 80 "$who interrupt 160," "$@" --append storm "$hangs"
	[ "$(grep -c '^  RIP ' "$out/said")" = $((depth + 1)) ] || { echo "FAILED: not every level is shown"; failed=1; }
	for progress in idle wait busy helped helped-at-once; do
		ends 0 ' rounds$' "$@" --append $progress "$hangs"
	done
done

# Without being asked for, and not at all.
ends 80 'by exception 6' --append fault "$hangs"
ends 75 'instruction limit' --hang 0 --max-insns 20M --append fault "$hangs"

# Guests that are interrupted at one place over and over, as these images have them do.
for depth in 0 1; do
	ends 0 digest= --depth $depth --hang 50 --append rounds=1 "$images/equiv.elf"
	ends 0 item=cpuid --depth $depth --hang 50 --append iters=60 "$images/exitbench.elf"
	ends 0 order= --depth $depth --hang 50 "$images/timer.elf"
	# L2's one instruction is never left: the purest hang there is, but for its end.
	ends 80 'L[12] is interrupted at .* by exit CPUID,' --depth $depth --hang 500 "$images/roundtrip.elf"
	grep -q ' GUEST_RIP=' "$out/said" && grep -q '^Last VM exits' "$out/said" ||
		{ echo "FAILED: no VMCS, or no exits"; failed=1; }
done
ends 64 'not a number' --hang soon "$hangs"
[ $failed = 0 ] && echo "5 ways to hang told from 5 ways to be busy, at depths 0, 1 and 2"
exit $failed
