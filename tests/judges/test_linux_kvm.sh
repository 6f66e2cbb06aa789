#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Linux/KVM, an L1 that nobody here wrote, over hv.elf on Bochs: its guest runs to the end at
# depths 1 and 2. Needs an unpacked Debian kernel package: LINUX_TREE=DIR (l1/linux/README.md).
set -u
build=$1
[ -n "${LINUX_TREE:-}" ] || { echo "LINUX_TREE names no unpacked kernel package"; exit 77; }
out=$build/linux-kvm
l1/linux/make.sh "$LINUX_TREE" "$out" || exit 1
linux="$out/vmlinuz console=ttyS0 panic=-1 mitigations=off quiet loglevel=3"
failed=0

boot() {
	name=$1
	shift
	got=$(tests/bochs/run.sh -i -m 256 -t 400 "$@" "$linux" "$out/initrd")
	[ $? != 77 ] || { echo "Bochs or grub-mkrescue is missing"; exit 77; }
	echo "$name: $(echo "$got" | tr -d '\r' | grep -E '^(exit|kvm)=' | tr '\n' ' ')"
	echo "$got" | grep -q '^kvm=ok' || failed=1
}

boot "depth 1" "$build/images/hv.elf"
boot "depth 2" "$build/images/hv.elf" "$build/images/hv.elf"
exit $failed
