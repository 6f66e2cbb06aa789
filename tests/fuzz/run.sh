#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# run.sh BUILD SECONDS [TARGET...]: BUILD/fuzzer over each target for that long, from the kept cases and the
# corpus of earlier runs (BUILD/corpus/TARGET). A finding is left in BUILD/findings/ and ends with status 1.
set -u
build=$1 seconds=$2
shift 2
[ $# -gt 0 ] || set -- code vmx load log
mkdir -p "$build/findings"
status=0
for target; do
	mkdir -p "$build/corpus/$target"
	echo "fuzz: $target for $seconds s"
	FUZZ_TARGET=$target "$build/fuzzer" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -max_len=4096 \
		-artifact_prefix="$build/findings/$target-" -print_final_stats=1 -verbosity=0 \
		"$build/corpus/$target" "tests/fuzz/cases/$target" >"$build/$target.log" 2>&1 ||
		{ status=1; tail -40 "$build/$target.log"; }
	grep -E 'number_of_executed_units|new_units_added' "$build/$target.log"
done
exit $status
