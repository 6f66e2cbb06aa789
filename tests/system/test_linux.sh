#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Debian's Linux on the machine and under hypervisors: a shell that takes input, a virtual machine of
# its own KVM at depths 0 to 2, instructions hardly more at depth 1, the same run twice to the last
# digit. Needs `make linux`.
set -eu
build=$1
linux=$build/l1/linux
[ -e "$linux/initrd" ] || { echo "no $linux/initrd: run make linux"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

boot() { # NAME WORDS OPTION...
	name=$1 words=$2
	shift 2
	timeout 100 "$build/abyme" run --initrd "$linux/initrd" --append "console=ttyS0 panic=-1 $words" \
		--stats "$work/$name.json" "$@" "$linux/bzImage" >"$work/$name" ||
		{ echo "$name: status $?"; tail -20 "$work/$name"; exit 1; }
}
stat() { sed -n "s/^    \"$2\": \"\{0,1\}\([^\",]*\).*/\1/p" "$work/$1.json"; }

# What the kernel empties out of the FIFO when it opens the port is newlines.
{ yes '' | head -40; echo 'echo depth=$((3 * 7)) $(uname -s); ls /dev/kvm; exit'; } >"$work/input"
boot shell quiet <"$work/input"
tr -d '\r' <"$work/shell" | grep -q '^depth=21 Linux$' && grep -q '^/dev/kvm' "$work/shell" ||
	{ echo "the shell did not answer:"; tail "$work/shell"; exit 1; }

for depth in 0 1 2; do
	boot "kvm$depth" 'quiet run=kvm_guest' --depth $depth --trace "$work/log$depth" </dev/null
	grep -q '^kvm=ok' "$work/kvm$depth" || { echo "depth $depth: no kvm=ok"; tail "$work/kvm$depth"; exit 1; }
	echo "depth $depth: $(stat "kvm$depth" instructions) instructions, $(stat "kvm$depth" cycles) cycles"
done
for what in instructions cycles; do
	[ $(($(stat kvm1 $what) * 100)) -le $(($(stat kvm0 $what) * 115)) ] ||
		{ echo "depth 1 takes more than 1.15 of the $what of depth 0"; exit 1; }
done

boot again 'quiet run=kvm_guest' --depth 1 --trace "$work/log" </dev/null
for what in instructions cycles console_digest trace_digest; do
	[ -n "$(stat again $what)" ] && [ "$(stat again $what)" = "$(stat kvm1 $what)" ] ||
		{ echo "$what differs: $(stat kvm1 $what), $(stat again $what)"; exit 1; }
done
cmp "$work/log1" "$work/log"
echo "the same again: console $(stat again console_digest), log $(stat again trace_digest)"
