#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# make.sh TREE OUT BUILD: from unpacked Debian packages (.ci/linux-packages) and the abyme built in
# BUILD makes OUT/bzImage and OUT/initrd: a Linux with KVM, busybox, abyme and its images; and
# OUT/initrd-nested, which has these two as well, in /boot.
set -eu
tree=$1
out=$2
build=$3
here=$(dirname "$0")
mkdir -p "$out/images"

one() { find "$tree" -type f -path "*/$1" | grep . || { echo "make.sh: no $1 in $tree" >&2; exit 1; }; }

cp "$(one 'boot/vmlinuz-*')" "$out/bzImage"
${CC:-cc} -O2 -Wall -Wextra -static -o "$out/kvm_guest" "$here/kvm_guest.c"
${CC:-cc} -O2 -Wall -Wextra -o "$out/mkinitrd" "$here/mkinitrd.c"
strip -o "$out/abyme" "$build/abyme-static"

set -- init="$here/init" bin/busybox="$(one bin/busybox)" bin/sh@busybox bin/kvm_guest="$out/kvm_guest" \
	bin/abyme="$out/abyme"
for module in irqbypass kvm kvm-intel; do
	set -- "$@" lib/modules/$module.ko="$(one $module.ko)"
done
for image in "$build"/images/*.elf; do
	strip -o "$out/images/$(basename "$image")" "$image"
	set -- "$@" bin/images/"$(basename "$image")=$out/images/$(basename "$image")"
done
"$out/mkinitrd" "$out/initrd" "$@"
"$out/mkinitrd" "$out/initrd-nested" "$@" bin/nest="$here/nest" boot/bzImage="$out/bzImage" boot/initrd="$out/initrd"
