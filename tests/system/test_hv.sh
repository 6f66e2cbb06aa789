#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The hypervisor's own promises: NMIs at any moment reach the guest; a guest's mistake ends that
# guest with a report and a status of its own; too little memory, no guest and a CPU that will not
# do are refused in a line; INIT goes to the reset vector; the local APIC stays off a hypervisor's
# memory; five levels fit in 24 MB.
set -u
build=$1
images=$build/images
failed=0

# expect NAME STATUS PATTERN ARGUMENTS...
expect() {
	name=$1 status=$2 pattern=$3
	shift 3
	output=$(timeout 120 "$build/abyme" run "$@" 2>&1)
	got=$?
	if [ $got = "$status" ] && echo "$output" | grep -q -- "$pattern"; then
		echo "$name: as expected"
	else
		echo "$name: exit status $got, wanted $status and \"$pattern\":"
		echo "$output" | head -5
		failed=1
	fi
}

for depth in 0 1 2 3; do
	expect "NMIs, depth $depth" 0 'nmis=1500 late=0' \
		--depth $depth --append rounds=1500 "$images/nmi.elf"
	expect "NMIs while NMIs are blocked, depth $depth" 0 'nmis=200 late=0' \
		--depth $depth --append 'rounds=100 blocked' "$images/nmi.elf"
	expect "NMIs while a fault is injected, depth $depth" 0 'nmis=1500 late=0' \
		--depth $depth --append 'rounds=1500 faults' "$images/nmi.elf"
done
expect 'triple fault, depth 1' 225 'level 0 ends its guest: triple fault' \
	--depth 1 --append triple "$images/stops.elf"
expect 'triple fault, depth 3' 225 'level 2 ends its guest: triple fault' \
	--depth 3 --append triple "$images/stops.elf"
for depth in 0 1 2; do
	expect "INIT, depth $depth" 11 '^I$' --depth $depth --append init "$images/stops.elf"
	expect "INIT and MPX, depth $depth" 11 '^I$' --depth $depth --append init-mpx "$images/stops.elf"
	expect "INIT in VMX operation, depth $depth" 11 '^blocked$' --depth $depth --append init-vmxoff "$images/stops.elf"
done
expect 'local APIC over memory of the hypervisor, depth 1' 225 'local APIC over memory' \
	--depth 1 --append apic-base "$images/stops.elf"
expect 'local APIC over memory of the lowest hypervisor, depth 2' 225 'local APIC over memory' \
	--depth 2 --append apic-base "$images/stops.elf"
expect 'the last exits in a report' 225 '  1 times TRIPLE_FAULT' --depth 1 --append triple "$images/stops.elf"
expect 'memory above 4 GB' 0 'hello' --mem 6G --depth 2 "$images/hello.elf"
expect 'memory above 4 GB, not at its own addresses' 0 'hello' --mem 6G --depth 2 --hv-append map=offset "$images/hello.elf"
expect 'five levels in 24 MB' 0 'hello' --mem 24M --depth 5 "$images/hello.elf"
expect 'too little memory' 229 'does not fit\|too little' --mem 4M --depth 1 "$images/hello.elf"
expect 'no guest' 229 'no guest' "$images/hv.elf"
expect 'no EPT' 229 'no EPT' --cpu skylake,-ept --depth 1 "$images/hello.elf"
expect 'no VMX' 229 'no VMX' --cpu skylake,-vmx --depth 1 "$images/hello.elf"
exit $failed
