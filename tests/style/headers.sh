#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Every header compiles alone. CC chooses the compiler.
set -u
failed=0
for header in $(git ls-files '*.h'); do
	case $header in
	l1/* | l0/hv/*) environment=-ffreestanding ;;
	*) environment= ;;
	esac
	${CC:-gcc} $environment -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter -I. -fsyntax-only -x c "$header" 2>&1 |
		grep -v -e 'pragma once' | grep -E 'error|warning' && failed=1
done
[ $failed = 0 ] && echo "headers: each compiles alone"
exit $failed
