#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# run.sh BUILD DIR...: runs every executable test_*.sh of the folders with BUILD as its argument, one line a
# test. A test exits 0 (passed), 77 (skipped: its last line says why) or anything else (failed: its
# output is shown). Ends with "N passed, N failed, N skipped".
set -u
build=$1
shift
passed=0 failed=0 skipped=0
output=$(mktemp)
trap 'rm -f "$output"' EXIT

for dir in "$@"; do
	for test in "$dir"/test_*.sh; do
		[ -x "$test" ] || continue
		start=$(date +%s)
		"$test" "$build" >"$output" 2>&1 </dev/null
		status=$?
		seconds=$(($(date +%s) - start))
		case $status in
		0) passed=$((passed + 1)) word=PASS ;;
		77) skipped=$((skipped + 1)) word="SKIP ($(tail -1 "$output"))" ;;
		*) failed=$((failed + 1)) word=FAIL ;;
		esac
		echo "$test: $word [${seconds}s]"
		[ "$word" != FAIL ] || tail -40 "$output" | sed 's/^/    /'
	done
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
