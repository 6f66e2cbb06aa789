#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The board against QEMU's: interrupt controllers, UART, timer, clock answer the same questions alike, and
# under a hypervisor as well. TCG counts instructions for its clock: a busy host changes nothing.
set -eu
build=$1
qemu=qemu-system-x86_64
command -v $qemu >/dev/null || { echo "$qemu is missing: run .ci/setup judges"; exit 77; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

timeout 60 $qemu -accel tcg -icount shift=2,sleep=off -m 128 -kernel "$build/images/platform.elf" -serial stdio -display none -no-reboot \
	-device isa-debug-exit,iobase=0xf4 </dev/null >"$out/qemu"
for depth in 0 1; do
	timeout 60 "$build/abyme" run --mem 128M --depth $depth "$build/images/platform.elf" </dev/null >"$out/abyme"
	diff "$out/qemu" "$out/abyme"
done
echo "$(wc -l <"$out/qemu") probes agree"
