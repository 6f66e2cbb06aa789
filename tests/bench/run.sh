#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# run.sh BUILD [SECTION]...: the benchmark, by section: speed, logging, memory, nesting, linux (default: all). Each is a
# file beside this one that says what it measures. docs/performance.md has the figures of one run.
set -eu
build=$1
shift
[ $# -gt 0 ] || set -- speed logging memory nesting linux
for section; do
	"$(dirname "$0")/$section.sh" "$build"
	echo
done
