#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# run.sh BUILD SECONDS [TARGET...]: BUILD/fuzzer over each target for that long, from the kept cases and the
# corpus of earlier runs (BUILD/corpus/TARGET). A finding is left in BUILD/findings/ and ends with status 1.
set -u
build=$1 seconds=$2
shift 2
[ $# -gt 0 ] || set -- code vmx shadow load log
mkdir -p "$build/findings"
FUZZ_TARGET=dictionary "$build/fuzzer" >"$build/dictionary" || exit
status=0
for target; do
	mkdir -p "$build/corpus/$target"
	echo "fuzz: $target for $seconds s"
	case $target in code | vmx) length=1024 words=-dict=$build/dictionary ;; *) length=4096 words= ;; esac
	FUZZ_TARGET=$target "$build/fuzzer" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -max_len=$length \
		-entropic=0 -reload=0 $words -artifact_prefix="$build/findings/$target-" -print_final_stats=1 \
		"$build/corpus/$target" "tests/fuzz/cases/$target" >"$build/$target.log" 2>&1 ||
		{ status=1; tail -40 "$build/$target.log"; }
	grep -E 'INITED|DONE' "$build/$target.log"
	grep -E 'number_of_executed_units|new_units_added' "$build/$target.log"
done
exit $status
