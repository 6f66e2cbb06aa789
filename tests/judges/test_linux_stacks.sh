#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The stacks of l1/README.md: Linux/KVM above and below hv.elf, and within itself, each to its guest's last
# line, on the interpreter; the totals of the log are the machine's and every hypervisor's own log agrees; stack d
# twice is the same run. Needs `make linux`.
set -u
build=$1
linux=$build/l1/linux
[ -e "$linux/initrd-nested" ] || { echo "no $linux/initrd-nested: run make linux"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# stack NAME PATTERN INITRD COMMAND OPTION...: input is $work/input.
stack() {
	name=$1 pattern=$2 initrd=$3 command=$4
	shift 4
	timeout 900 "$build/abyme" run --initrd "$linux/$initrd" --append "console=ttyS0 panic=-1 quiet run=\"$command\"" \
		--stats "$work/stats" --trace "$work/trace" "$@" "$linux/bzImage" <"$work/input" >"$work/output" 2>&1
	status=$?
	if [ $status = 0 ] && tr -d '\r' <"$work/output" | grep -q "$pattern"; then
		echo "$name: $(grep -o '"instructions":[^,]*' "$work/stats" | tr -dc 0-9) instructions"
		tests/bench/totals.sh "$build" "$work/trace" "$work/stats" || failed=1
	else
		echo "$name: status $status, no line like $pattern"
		tail -20 "$work/output"
		failed=1
	fi
}

: >"$work/input"
stack a '^item=cpuid ' initrd 'abyme run --machine kvm --append iters=20 bin/images/exitbench.elf' --depth 1
stack 'b, bare L1' '^l2_cpuid ' initrd 'abyme run --machine kvm --depth 1 bin/images/roundtrip.elf' --mem 512M
stack 'b, tiny' '^item=self_ipi_x2apic ' initrd \
	'abyme run --machine kvm --append '\''awake iters=4'\'' --stack bin/images/hv.elf,bin/images/tiny.elf,bin/images/exitbench.elf' --mem 512M
stack 'b, halted' '^init: status 71' initrd 'abyme run --machine kvm --depth 1 --append halt bin/images/stops.elf' --mem 512M
stack c '^kvm=ok' initrd kvm_guest --depth 2
stack e '^hello from ring 0' initrd-nested 'nest abyme run --machine kvm --depth 1 bin/images/hello.elf' --mem 1G
# Newlines go before what the inner kernel empties out of its FIFO.
{ yes '' | head -60; echo 'echo inner=$((6 * 7)); exit'; } >"$work/input"
digests() { grep -E '"(instructions|console_digest|trace_digest)"' "$work/stats"; }
stack d '^inner=42$' initrd-nested nest --depth 1 --mem 1G
digests >"$work/first"
stack 'd again' '^inner=42$' initrd-nested nest --depth 1 --mem 1G
[ "$(digests)" = "$(cat "$work/first")" ] && [ "$(wc -l <"$work/first")" = 3 ] || { echo "d: two runs differ"; failed=1; }
exit $failed
