# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# What the sections of the benchmark share. Sourced by bash with $build set. Times are CPU times, user and
# system, of a command and its children: other load on the host disturbs them far less than the wall's.
abyme=$build/abyme
images=$build/images
out=$build/bench
mkdir -p "$out"

# seconds COMMAND...: CPU time of a run whose output goes to $out/last; ends the benchmark if it fails.
seconds() {
	local TIMEFORMAT='%3U %3S' times
	if ! { time "$@" >"$out/last" 2>&1 </dev/null; } 2>"$out/time"; then
		echo "bench: $* failed:" >&2
		cat "$out/last" >&2
		exit 1
	fi
	read -r -a times <"$out/time"
	awk -v u="${times[0]}" -v s="${times[1]}" 'BEGIN { print u + s }'
}

# stat KEY: a number of the last run with --stats $out/stats.json.
stat() { sed -n "s/.*\"$1\":[ \t]*\([0-9.]*\).*/\1/p" "$out/stats.json" | head -1; }

# keep NAME VALUE: remembers one repetition's figure. median NAME, spread NAME: over the repetitions;
# spread is the distance of the extremes in percent of the median.
keep() { echo "$2" >>"$out/kept.$1"; }
forget() { rm -f "$out"/kept.*; }
median() { sort -g "$out/kept.$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
spread() {
	sort -g "$out/kept.$1" | awk '{ v[NR] = $1 }
		END { m = v[int((NR + 1) / 2)]; printf "%.0f", (m > 0) ? 100 * (v[NR] - v[1]) / m : 0 }'
}

# ratio A B [DIGITS]: "-" if there is no B.
ratio() {
	awk -v a="$1" -v b="$2" -v digits="${3:-2}" 'BEGIN {
		if (b > 0)
			printf "%.*f", digits, a / b
		else
			printf "-"
	}'
}
