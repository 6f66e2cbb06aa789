#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# run.sh BUILD: measures exitbench at each depth, prints the table, compares the logs, plots.
# Leaves everything under BUILD/run. See README.md beside this file for the parameters.
set -eu
here=$(dirname "$0")
build=$1
out=$build/run
abyme=$build/abyme
depths=${DEPTHS:-0 1 2 3}
mkdir -p "$out"

# measure DEPTH OUTPUT OPTION...: one run. The costs come from a run without a log, whose writing is work, too.
measure() {
	at=$1 output=$2
	shift 2
	# shellcheck disable=SC2086
	"$abyme" run --depth "$at" --append "${ITERATIONS:+iters=$ITERATIONS}" --stats "$out/depth$at.json" "$@" ${OPTIONS:-} \
		"$build/images/exitbench.elf" >"$output" </dev/null || {
		echo "run: exitbench failed at depth $at; its output is in $output" >&2
		exit 1
	}
}

for depth in $depths; do
	echo "depth $depth: exitbench over $depth hypervisor$([ "$depth" = 1 ] || echo s) ..." >&2
	measure "$depth" "$out/depth$depth.txt"
	measure "$depth" "$out/depth$depth.logged" --trace "$out/depth$depth.trace"
	"$abyme" trace marks "$out/depth$depth.trace" >"$out/depth$depth.marks"
done

# shellcheck disable=SC2086
awk -v out="$out" -v depths="$depths" -f "$here/table.awk" >"$out/cost.dat"
cat "$out/table.txt"

agreed=0
for depth in $depths; do
	[ "$depth" = 0 ] && continue
	"$abyme" trace report --check "$out/depth$depth.trace" >"$out/depth$depth.report" || agreed=1
done
[ $agreed = 0 ] && echo "logs: at every depth L0's records and the machine's agree, reason by reason"

if command -v gnuplot >/dev/null; then
	for form in svg png; do
		gnuplot -e "form='$form'; data='$out/cost.dat'; target='$out/cost.$form'" "$here/cost.gp"
	done
	echo "figure: $out/cost.svg $out/cost.png"
else
	echo "figure: not drawn, gnuplot is missing (apt-get install gnuplot-nox)"
fi
echo "traces: $out/depth*.trace  (try: $abyme trace report $out/depth2.trace)"
exit $agreed
