#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# nesting.sh BUILD: the cost of one exit of L2, from L2 through a bare L1 handler and back (l1/guests/roundtrip.c), in
# instructions that all levels below L1 execute, by depth, with and without VMCS shadowing; and the exits
# that the CPU makes for one round trip at depth 1: the difference of two runs. Counts, not times: the
# same on every host. The machine is depth 0.
set -eu
build=$1
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
image=$images/roundtrip.elf

# trips DEPTH CPU ITERATIONS: leaves the output in $out/last, statistics in $out/stats.json.
trips() {
	seconds "$abyme" run --depth "$1" --cpu "$2" --append "iters=$3" --stats "$out/stats.json" "$image" >/dev/null
}
insns() { sed -n "s/^$1 insns=\([0-9]*\) .*/\1/p" "$out/last"; }
# exits REASON FILE: in the statistics in FILE, 0 if there was none.
exits() {
	sed -n "/\"vm_exits\"/,/}/s/.*\"$1\":[ \t]*\([0-9]*\).*/\1/p" "$2" | awk '{ n += $1 } END { print n + 0 }'
}

echo 'cost of nesting, instructions below L1 for one exit of L2 and back, and for an exit of L1:'
printf '%-24s %6s %12s %16s %12s\n' 'VMCS shadowing' depth 'L2 CPUID' 'same, usual L1' 'L1 CPUID'
for cpu in skylake skylake,-vmcs-shadowing; do
	deepest=5 how=on
	[ $cpu = skylake ] || deepest=4 how=off
	for ((depth = 1; depth <= deepest; depth++)); do
		trips $depth $cpu 8
		printf '%-24s %6d %12d %16d %12d\n' $how $depth "$(insns l2_cpuid)" "$(insns l2_cpuid_usual)" "$(insns l1_cpuid)"
	done
done

# An iteration makes seven round trips, one L1 CPUID, one VMREAD and one VMWRITE.
for cpu in skylake skylake,-vmcs-shadowing; do
	trips 1 $cpu 100
	cp "$out/stats.json" "$out/few.json"
	trips 1 $cpu 200
	line=
	total=0
	for reason in CPUID VMCALL IO_INSTRUCTION RDMSR EPT_VIOLATION VMRESUME VMREAD VMWRITE; do
		few=$(exits $reason "$out/few.json")
		each=$(ratio $(($(exits $reason "$out/stats.json") - few)) 100 0)
		total=$((total + each))
		[ "$each" = 0 ] || line="$line $reason $each"
	done
	echo "hardware exits of seven L2 round trips and one L1 CPUID, VMREAD, VMWRITE at depth 1, $cpu: $total =$line"
done
