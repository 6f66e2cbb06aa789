#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# linux.sh BUILD: Debian's kernel from power-on to the first process with KVM loaded, and off again: the
# interpreter at depths 0 to 2, QEMU TCG (without VMX, so without KVM), Bochs once. The machines take turns.
# LINUX_REPETITIONS (default 3); LINUX_BOCHS= leaves Bochs out.
set -eu
build=$1
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
linux=$build/l1/linux
[ -e "$linux/initrd" ] || { echo "booting Linux: no $linux/initrd, run make linux"; exit 0; }
words="console=ttyS0 panic=-1 run=true"

# once NAME COMMAND...: remembers CPU and wall seconds.
once() {
	local name=$1 from
	shift
	from=$EPOCHREALTIME
	keep "$name" "$(seconds "$@")"
	keep "$name.wall" "$(awk -v a="$from" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')"
}

on_interpreter() {
	once "depth $1" "$abyme" run --mem 256M --depth "$1" --stats "$out/stats.json" --initrd "$linux/initrd" \
		--append "$words" "$linux/bzImage"
	keep "depth $1.insns" "$(stat instructions)"
}

row() {
	[ -e "$out/kept.$1" ] || return 0
	printf '%-10s %12s %12s %14s %10s\n' "$1" "$(median "$1") ($(spread "$1"))" \
		"$(median "$1.wall") ($(spread "$1.wall"))" "$(ratio "$(median "$1")" "$(median 'depth 0')")" "${2:--}"
}

forget
for ((i = 0; i < ${LINUX_REPETITIONS:-3}; i++)); do
	for depth in 0 1 2; do
		on_interpreter $depth
	done
	if command -v qemu-system-x86_64 >/dev/null; then
		once QEMU qemu-system-x86_64 -accel tcg -cpu max -m 256 -display none -serial stdio -no-reboot \
			-kernel "$linux/bzImage" -initrd "$linux/initrd" -append "$words"
	fi
done
if [ "${LINUX_BOCHS-1}" ] && command -v bochs >/dev/null && command -v grub-mkrescue >/dev/null; then
	once Bochs tests/bochs/run.sh -i -m 256 -t 900 "$linux/bzImage $words" "$linux/initrd"
fi
echo 'booting Linux to its first process, KVM loaded, median seconds (spread in percent):'
printf '%-10s %12s %12s %14s %10s\n' machine CPU wall 'CPU / depth 0' 'M insns'
for depth in 0 1 2; do
	row "depth $depth" "$(ratio "$(median "depth $depth.insns")" 1000000 0)"
done
row QEMU
row Bochs
