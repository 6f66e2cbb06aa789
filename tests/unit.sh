#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# unit.sh BINARY...: runs cmocka binaries, one line each; shows the failures of those that fail.
set -u
output=$(mktemp)
trap 'rm -f "$output"' EXIT
passed=0 failed=0
for test; do
	if timeout 600 "$test" >"$output" 2>&1; then
		echo "$test: $(sed -n 's/.*PASSED *\] *\([0-9]*\) test(s).*/\1/p' "$output") passed"
		passed=$((passed + 1))
	else
		echo "$test: FAILED"
		grep -v -e 'RUN  ' -e '  OK ' "$output" | head -60 | sed 's/^/    /'
		failed=$((failed + 1))
	fi
done
echo "unit binaries: $passed passed, $failed failed"
[ $failed = 0 ]
