#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# make style: measures the project's own bar and fails if it is not met. Functions are found by the
# layout: a `{` and a `}` in column 0. Tables (initialisers ending in `};`) are not functions.
set -eu

sources=$(git ls-files '*.c' '*.h')
code=$(git ls-files '*.c' '*.h' '*.S')
failed=0

fail() {
	echo "style: $*"
	failed=1
}

# One number per line -> "median p90".
spread() {
	sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)], v[int(NR * 0.9 + 0.5)] }'
}

# "length file:line" of every function.
functions() {
	awk 'FNR == 1 { start = 0 }
	     /^\{/ { start = FNR }
	     /^\}/ && start { if ($0 !~ /^\};/) print FNR - start + 1, FILENAME ":" start; start = 0 }' $sources
}

set -- $(for f in $sources; do wc -l <"$f"; done | spread)
echo "files      median $1 lines (bar 150), p90 $2 (bar 450)"
[ "$1" -le 150 ] && [ "$2" -le 450 ] || fail "files are too long"

functions >"${TMPDIR:-/tmp}/style.$$"
set -- $(cut -d' ' -f1 "${TMPDIR:-/tmp}/style.$$" | spread)
echo "functions  median $1 lines (bar 13), p90 $2 (bar 40)"
[ "$1" -le 13 ] && [ "$2" -le 40 ] || fail "functions are too long"
awk '$1 > 60 { long++ } $1 > 100 { huge++; print "style: over 100 lines: " $2 " (" $1 ")" }
     END { printf "functions  over 60 lines: %.1f %% (bar 3 %%), over 100: %d (bar 0)\n", 100 * long / NR, huge
	   exit huge > 0 || long > 0.03 * NR }' "${TMPDIR:-/tmp}/style.$$" || failed=1
rm -f "${TMPDIR:-/tmp}/style.$$"

for f in $code; do
	head -2 "$f" | grep -q 'SPDX-License-Identifier: BSD-2-Clause' || fail "no SPDX line: $f"
done

wide=$(cat $sources | expand | awk 'length > 100 && !/#define|_ROW|CHECK\(|VIOLATION\(/ { n++ } END { print n + 0 }')
echo "lines      over 100 columns: $wide"

# Citations per 1000 lines where the architecture is implemented.
for dir in shadow l0/machine/interp/vmx; do
	files=$(git ls-files "$dir/*.c" "$dir/*.h" "$dir/*.def")
	[ -n "$files" ] || continue
	cat $files | awk -v dir="$dir" '/SDM [1-4][A-D]?/ { n++ }
		END { printf "citations  %s: %.1f per 1000 lines (bar 5)\n", dir, 1000 * n / NR; exit 1000 * n / NR < 5 }' ||
		fail "too few citations in $dir"
done
exit $failed
