#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Boots a multiboot image, or a Linux bzImage with its initrd, on Bochs, a machine with VMX that nobody here
# wrote, and prints what it sent to COM1. Words of one argument after the file name are its command line.
#
#   tests/bochs/run.sh [-m MB] [-t SECONDS] [-c CPU] [-i] IMAGE[ ARGS] [MODULE[ ARGS]]...
#
# Exit status: 0 the machine was powered off, 1 it was not (time-out, panic), 77 skipped: no Bochs or
# no grub-mkrescue here.
set -u
megabytes=64
seconds=60
model=corei7_skylake_x
bad_msrs=0
while getopts m:t:c:i option; do
	case $option in
	m) megabytes=$OPTARG ;;
	t) seconds=$OPTARG ;;
	c) model=$OPTARG ;;
	i) bad_msrs=1 ;; # RDMSR of an unknown MSR reads 0 instead of #GP
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || { echo "usage: run.sh [-m MB] [-t SECONDS] [-c CPU] [-i] IMAGE [MODULE]..." >&2; exit 2; }
for tool in bochs grub-mkrescue xorriso; do
	command -v $tool >/dev/null || { echo "skipped: $tool is not installed" >&2; exit 77; }
done
share=/usr/share/bochs
[ -f $share/BIOS-bochs-latest ] || { echo "skipped: no BIOS in $share" >&2; exit 77; }

work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/iso/boot/grub"
{
	echo 'set timeout=0'
	echo 'set default=0'
	echo 'menuentry abyme {'
	word=multiboot next=module
	if [ "$(dd if="${1%% *}" bs=1 skip=514 count=4 2>/dev/null | tr -d '\0')" = HdrS ]; then
		word=linux next=initrd
	fi
	n=0
	for argument; do
		file=${argument%% *}
		case $argument in
		*' '*) rest=" ${argument#* }" ;;
		*) rest= ;;
		esac
		cp "$file" "$work/iso/boot/$n.bin" || exit 2
		echo "	$word /boot/$n.bin$rest"
		word=$next
		n=$((n + 1))
	done
	echo '	boot'
	echo '}'
} >"$work/iso/boot/grub/grub.cfg"
grub-mkrescue -d /usr/lib/grub/i386-pc -o "$work/boot.iso" "$work/iso" --install-modules='multiboot linux iso9660 biosdisk normal part_msdos' \
	--locales= --themes= --fonts= >"$work/grub.log" 2>&1 || { cat "$work/grub.log" >&2; exit 2; }

cat >"$work/bochsrc" <<END
megs: $megabytes
romimage: file=$share/BIOS-bochs-latest
vgaromimage: file=$share/VGABIOS-lgpl-latest
cpu: model=$model, count=1, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs=$bad_msrs
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=$work/boot.iso, status=inserted
boot: cdrom
pci: enabled=1, chipset=i440fx
clock: sync=none, time0=1700000000
com1: enabled=1, mode=file, dev=$work/com1
port_e9_hack: enabled=0
display_library: rfb, options="timeout=0"
log: $work/bochs.log
panic: action=fatal
error: action=report
info: action=report
END
echo c >"$work/commands"
timeout "$seconds" bochs -q -f "$work/bochsrc" -rc "$work/commands" >"$work/stdout" 2>&1
cat "$work/com1" 2>/dev/null
[ -n "${BOCHS_LOG:-}" ] && cp "$work/bochs.log" "$BOCHS_LOG"
grep -q 'soft power off' "$work/bochs.log"
