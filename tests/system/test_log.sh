#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The hypervisors' log and the machine's agree, reason by reason; a log does not change what is computed;
# two runs give the same log to the last bit.
set -eu
build=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

for depth in 1 2 3; do
	for run in a b; do
		"$build/abyme" run --depth $depth --append rounds=1 --trace "$out/$run.trace" --stats "$out/$run.json" \
			"$build/images/equiv.elf" >"$out/$run.txt"
	done
	"$build/abyme" trace report --check "$out/a.trace" >/dev/null
	cmp "$out/a.trace" "$out/b.trace"
	cmp "$out/a.txt" "$out/b.txt"
	echo "depth $depth: logs agree; two runs are the same"
done
"$build/abyme" run --append rounds=1 "$build/images/equiv.elf" | cmp - "$out/a.txt"
