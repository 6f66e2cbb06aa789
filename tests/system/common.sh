# SPDX-License-Identifier: BSD-2-Clause
# What system tests share, sourced by them with BUILD as $1: a folder of their own in $out, failures counted.
build=$1
abyme=$build/abyme
images=$build/images
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
failed=0

fail() {
	echo "FAILED: $*"
	failed=1
}

# steady FILE: what two equal runs have in common, of the statistics in FILE.
steady() {
	grep -v 'wall_s\|cpu_s\|mips\|peak_rss_kib' "$1"
}
