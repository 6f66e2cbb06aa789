#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# run.sh BUILD: the speed of the interpreter on the kernels of l1/guests/compute.c, side by side in one run with
# QEMU TCG where it is installed, and at depth 2. A figure is millions of guest instructions
# a second, from the difference of a long and a short run, so that start-up does not count; all machines are
# credited with the instructions that the interpreter counts. ROUNDS (default 300) sizes the runs.
set -eu
build=$1
abyme=$build/abyme
image=$build/images/compute.elf
rounds=${ROUNDS:-300}
out=$build/bench
mkdir -p "$out"

now() { date +%s.%N; }

# seconds COMMAND...: wall time of a run whose output goes to $out/last.
seconds() {
	from=$(now)
	"$@" >"$out/last" 2>&1 </dev/null || { echo "bench: $* failed:" >&2; cat "$out/last" >&2; exit 1; }
	echo "$(now) $from" | awk '{ print $1 - $2 }'
}

on_interp() { "$abyme" run --stats "$out/stats.json" --append "$1 rounds=$2" "$image"; }
on_depth2() { "$abyme" run --depth 2 --append "$1 rounds=$2" "$image"; }
on_qemu() { timeout 600 qemu-system-x86_64 -accel tcg -m 128 -display none -no-reboot -serial stdio -kernel "$image" -append "$1 rounds=$2"; }

# rate MACHINE KERNEL ROUNDS INSNS_PER_ROUND
rate() {
	short=$(seconds "on_$1" "$2" $(($3 / 10)))
	long=$(seconds "on_$1" "$2" "$3")
	echo "$short $long $3 $4" | awk '{ d = $2 - $1; printf "%.0f", (d > 0) ? ($3 - int($3 / 10)) * $4 / d / 1e6 : 0 }'
}

instructions() { sed -n 's/.*"instructions":[ \t]*\([0-9]*\).*/\1/p' "$out/stats.json" | head -1; }

qemu=$(command -v qemu-system-x86_64 || true)
printf '%-10s %10s %10s %10s %8s %10s\n' kernel interp 'at depth 2' 'QEMU TCG' ratio 'per round'
for kernel in integer calls branches memory paging; do
	seconds on_interp $kernel 1 >/dev/null
	one=$(instructions)
	seconds on_interp $kernel 11 >/dev/null
	per=$((($(instructions) - one) / 10))
	ours=$(rate interp $kernel "$rounds" $per)
	deep=$(rate depth2 $kernel "$rounds" $per)
	theirs=-
	[ -z "$qemu" ] || theirs=$(rate qemu $kernel $((rounds * 4)) $per)
	ratio=$(echo "$ours $theirs" | awk '{ print ($2 > 0) ? sprintf("%.2f", $1 / $2) : "-" }')
	printf '%-10s %10s %10s %10s %8s %10s\n' $kernel "$ours" "$deep" "$theirs" "$ratio" $per
	echo "$kernel $ours $deep $theirs" >>"$out/rates.$$"
done
awk '$1 ~ /integer|calls|branches/ { o += log($2); d += log($3 / $2); n++; if ($4 > 0) { q += log($2 / $4); m++ } }
     END { printf "geometric mean of integer, calls, branches: %.0f MIPS", exp(o / n)
	   if (m) printf ", %.2f of QEMU TCG", exp(q / m)
	   printf "; depth 2 runs at %.2f of depth 0\n", exp(d / n) }' "$out/rates.$$"
rm -f "$out/rates.$$"
