#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# speed.sh BUILD: millions of guest instructions a second on the kernels of l1/guests/compute.c: the
# interpreter, the interpreter under two hypervisors, QEMU TCG, Bochs. A figure comes from the
# difference of a long and a short run, so that start-up does not count; every machine is credited
# with the instructions that the interpreter retires. The machines take turns within each repetition;
# printed are medians, with the spread of the repetitions in percent. REPETITIONS (default 3), KERNELS (default all).
set -eu
build=$1
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
image=$images/compute.elf
repetitions=${REPETITIONS:-3}

on_interp() { "$abyme" run --append "$1 rounds=$2" "$image"; }
on_depth2() { "$abyme" run --depth 2 --append "$1 rounds=$2" "$image"; }
on_qemu() {
	timeout 300 qemu-system-x86_64 -accel tcg -m 128 -display none -no-reboot -serial stdio -kernel "$image" \
		-append "$1 rounds=$2"
}
on_bochs() { tests/bochs/run.sh -t 300 "$image $1 rounds=$2"; }

# rounds MACHINE KERNEL: of the long run, for roughly half a second to a second of CPU time.
rounds() {
	case $1.$2 in
	bochs.paging | bochs.churn) echo 20 ;;
	*.paging | *.churn) echo 80 ;;
	bochs.strings) echo 10 ;;
	*.strings) echo 100 ;;
	bochs.*) echo 60 ;;
	qemu.integer | qemu.branches) echo 4800 ;;
	qemu.calls | qemu.memory) echo 1600 ;;
	qemu.traps) echo 200 ;;
	qemu.syscalls | qemu.double | qemu.vector) echo 400 ;;
	*.traps | *.syscalls | *.double | *.vector) echo 200 ;;
	*) echo 600 ;;
	esac
}

# measure MACHINE KERNEL INSNS_PER_ROUND: one repetition, millions a second.
measure() {
	local long short most few rate
	most=$(rounds "$1" "$2")
	few=$((most / 10))
	short=$(seconds "on_$1" "$2" $few)
	long=$(seconds "on_$1" "$2" "$most")
	rate=$(awk -v d="$long" -v e="$short" -v n=$((most - few)) -v per="$3" 'BEGIN {
		if (d <= e)
			exit 1
		printf "%.1f", n * per / (d - e) / 1e6
	}') || { echo "bench: $1 $2: the long run took no longer than the short one" >&2; exit 1; }
	keep "$1.$2" "$rate"
}

# Instructions a round: the difference of two counts.
per_round() {
	local one
	"$abyme" run --stats "$out/stats.json" --append "$1 rounds=1" "$image" >/dev/null </dev/null
	one=$(stat instructions)
	"$abyme" run --stats "$out/stats.json" --append "$1 rounds=11" "$image" >/dev/null </dev/null
	echo $((($(stat instructions) - one) / 10))
}

machines="interp depth2"
if command -v qemu-system-x86_64 >/dev/null; then
	machines="$machines qemu"
else
	echo "skipped: QEMU TCG (qemu-system-x86_64 is not installed)"
fi
status=0
on_bochs integer 1 >"$out/last" 2>&1 </dev/null || status=$?
case $status in
0) machines="$machines bochs" ;;
77) echo "skipped: Bochs ($(sed -n 's/^skipped: //p' "$out/last"))" ;;
*) echo "bench: Bochs ends with status $status:" >&2; cat "$out/last" >&2; exit 1 ;;
esac

forget
echo 'speed, millions of guest instructions per second of CPU time (spread of the repetitions in percent):'
printf '%-10s %14s %14s %14s %14s %8s %8s %8s\n' kernel interpreter 'at depth 2' 'QEMU TCG' Bochs \
	depth2/0 /QEMU /Bochs
for kernel in ${KERNELS:-integer calls branches memory paging churn traps syscalls strings double vector}; do
	per=$(per_round $kernel)
	for ((i = 0; i < repetitions; i++)); do
		for machine in $machines; do
			measure "$machine" $kernel "$per"
		done
	done
	printf '%-10s' $kernel
	for machine in interp depth2 qemu bochs; do
		rate=0
		cell=-
		case " $machines " in *" $machine "*)
			rate=$(median $machine.$kernel)
			cell="$(printf '%.0f' "$rate") ($(spread $machine.$kernel))"
			;;
		esac
		printf ' %14s' "$cell"
		printf -v "$machine" %s "$rate"
	done
	# shellcheck disable=SC2154
	printf ' %8s %8s %8s\n' "$(ratio "$depth2" "$interp")" "$(ratio "$interp" "$qemu")" "$(ratio "$interp" "$bochs" 1)"
	# shellcheck disable=SC2154
	echo "$kernel $interp $depth2 $qemu $bochs" >>"$out/kept.rates"
done
awk '$1 ~ /^(integer|calls|branches)$/ {
		n++
		o += log($2)
		d += log($3 / $2)
		q += ($4 > 0) ? log($2 / $4) : 0
		b += ($5 > 0) ? log($2 / $5) : 0
	}
	END {
		if (n != 3)
			exit
		printf "geometric mean of integer, calls, branches: %.0f MIPS; depth 2 runs at %.2f of it", exp(o / n), exp(d / n)
		if (q) printf "; %.2f of QEMU TCG", exp(q / n)
		if (b) printf "; %.1f times Bochs", exp(b / n)
		print ""
	}' "$out/kept.rates"
