#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# make.sh TREE OUT: from an unpacked Debian kernel package (dpkg-deb -x linux-image-*-cloud-
# amd64*.deb TREE) makes OUT/vmlinuz and OUT/initrd, a Linux whose first process runs a KVM guest
# and powers off.
set -eu
tree=$1
out=$2
here=$(dirname "$0")
mkdir -p "$out"
module() { find "$tree" -name "$1" | grep . || { echo "make.sh: no $1 in $tree" >&2; exit 1; }; }
cp "$(find "$tree" -name 'vmlinuz*' | head -1)" "$out/vmlinuz"
${CC:-cc} -O2 -Wall -Wextra -static -o "$out/kvm_init" "$here/kvm_init.c"
${CC:-cc} -O2 -Wall -Wextra -o "$out/mkinitrd" "$here/mkinitrd.c"
"$out/mkinitrd" "$out/initrd" "$out/kvm_init" "$(module irqbypass.ko)" "$(module kvm.ko)" \
	"$(module kvm-intel.ko)"
