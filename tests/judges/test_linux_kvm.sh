#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Linux/KVM, a hypervisor that nobody here wrote, runs its guest to the end: on the machine, as L1 over
# hv.elf and as L2 over two, on the interpreter; and over hv.elf on Bochs. Needs `make linux`.
set -u
build=$1
linux=$build/l1/linux
[ -e "$linux/initrd" ] || { echo "no $linux/initrd: run make linux"; exit 77; }
words="console=ttyS0 panic=-1 mitigations=off quiet loglevel=3 run=kvm_guest"
hv=$build/images/hv.elf
failed=0

judge() {
	echo "$1: $(echo "$2" | tr -d '\r' | grep -E '^(exit|kvm)=' | tr '\n' ' ')"
	echo "$2" | grep -q '^kvm=ok' || failed=1
}

for depth in 0 1 2; do
	got=$(timeout 300 "$build/abyme" run --depth $depth --initrd "$linux/initrd" --append "$words" \
		"$linux/bzImage" </dev/null 2>&1) || failed=1
	judge "interpreter, depth $depth" "$got"
done
# KVM carries MPX, too: beneath the guest, over hv.elf, and with hv.elf between the two.
bounds=$("$build/abyme" run "$build/images/bounds.elf")
for row in 0-0 1-0 0-1; do
	run="abyme run --machine kvm --depth ${row#*-} bin/images/bounds.elf"
	got=$(timeout 300 "$build/abyme" run --depth ${row%-*} --mem 512M --initrd "$linux/initrd" \
		--append "console=ttyS0 panic=-1 quiet run=\"$run\"" "$linux/bzImage" </dev/null 2>/dev/null |
		tr -d '\r' | sed '/^init:/d; /reboot:/d')
	same=differ
	[ "$got" != "$bounds" ] || same='are the same'
	echo "bounds over $((${row%-*})) hv, Linux/KVM, ${row#*-} hv: they $same"
	[ "$same" = 'are the same' ] || failed=1
done
for below in "$hv" "$hv $hv"; do
	# shellcheck disable=SC2086
	got=$(tests/bochs/run.sh -i -m 256 -t 600 $below "$linux/bzImage $words" "$linux/initrd")
	[ $? != 77 ] || { echo "Bochs or grub-mkrescue is missing"; exit 77; }
	judge "Bochs, over $(echo "$below" | wc -w)" "$got"
done
exit $failed
