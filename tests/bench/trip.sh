#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# trip.sh BUILD [DEPTH [CPU [ITEM]]]: where the instructions of one round trip of L2 go, function by function: the
# difference of two profiled runs of roundtrip's l2_ line number ITEM (1: CPUID, bare L1), divided by the trips. The
# address column tells the levels apart: the highest is the one directly on the machine. Exact, the same on every host.
set -eu
build=$1 depth=${2:-1} cpu=${3:-skylake} item=${4:-1}
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
trips=64

for n in 1 2; do
	seconds "$abyme" run --depth "$depth" --cpu "$cpu" --append "iters=$((n * trips)) item=$item" \
		--profile "$out/trip.$n" "$images/roundtrip.elf" >/dev/null
done
echo "instructions of one round trip by function, depth $depth, $cpu, item $item:"
awk -v trips="$trips" '
	FNR == 1 { file++ }
	/^#/ { table = /by symbol/; next }
	!table { next }
	{ key = $2 " " $3 " " $4 }
	file == 1 { before[key] = $1; next }
	{ each = ($1 - before[key]) / trips }
	each >= 0.5 { printf "%10.1f %10s  %-14s %s\n", each, $2, $3, $4; sum += each }
	END { printf "%10.1f %10s  %s\n", sum, "", "altogether" }
' "$out/trip.1" "$out/trip.2" | sort -k1,1nr -k2
