#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# totals.sh BUILD TRACE STATS: of one run, the exits that the machine's own log holds, by level and reason, are
# those that the machine counted (by_level of --stats), and level by level they add up to vm_exits, counted by
# the CPU; and where a hypervisor below wrote a log, too, it agrees (trace report --check).
set -eu
build=$1 trace=$2 stats=$3
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Both as "LEVEL REASON COUNT". Failed entries are no guest's: L0 here, path cpu in the log.
"$build/abyme" trace report --json "$trace" | awk '
	/"level":/ { machine = /"machine"/ }
	/"path":/ { gsub(/[",]/, ""); path = ($2 == "cpu") ? "L0" : $2 }
	/"reason":/ { gsub(/[",]/, ""); reason = $2 }
	/"count":/ && machine { gsub(/,/, ""); print path, reason, $2 }' | sort >"$out/logged"
awk '
	/^    "by_level": / { on = 1 }
	on && /^    }/ { exit }
	on && /^        "L[0-9]+": / { gsub(/[":]/, ""); level = $1 }
	on && /^                "/ { gsub(/[":,]/, ""); print level, $1, $2 }' "$stats" | sort >"$out/counted"
awk '
	/^    "vm_exits": / { on = 1; next }
	on && /}/ { exit }
	on { gsub(/[":,]/, ""); print $1, $2 }' "$stats" | sort >"$out/cpu"
awk '{ n[$2] += $3 } END { for (reason in n) print reason, n[reason] }' "$out/counted" | sort >"$out/summed"

[ -s "$out/counted" ] || { echo "totals: $stats counts no exits"; exit 1; }
cmp -s "$out/logged" "$out/counted" || { echo "totals: log and counts differ:"; diff "$out/logged" "$out/counted"; exit 1; }
cmp -s "$out/cpu" "$out/summed" || { echo "totals: levels do not add up:"; diff "$out/cpu" "$out/summed"; exit 1; }
logs=$("$build/abyme" trace report --json "$trace" | sed -n '/"rows"/q; s/.*"level": "\(L[0-9]*\)".*/\1/p' | tr '\n' ' ')
[ -z "$logs" ] || "$build/abyme" trace report --check "$trace" >/dev/null
awk -v logs="$logs" '{ n += $3; if (!($1 in seen)) { seen[$1]; levels++ } } END {
	printf "totals agree: %d exits of %d levels%s\n", n, levels, logs ? ", and the log of " logs : "" }' "$out/counted" |
	sed 's/ $//'
