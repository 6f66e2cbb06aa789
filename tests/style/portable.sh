#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# portable.sh LIBSHADOW: shadow/ needs nothing from its environment but four memory functions, and holds no
# assembly and no SIMD.
set -eu
[ -s "$1" ] || { echo "portable: no archive $1: make it first"; exit 1; }
undefined=$(nm -g "$1" | awk '/ [TDRBVW] /{ have[$3] } / U /{ want[$2] }
	END { for (s in want) if (!(s in have)) print s }' | grep -v -x -E 'mem(cpy|set|move|cmp)|_GLOBAL_OFFSET_TABLE_' || true)
if [ -n "$undefined" ]; then
	echo "portable: shadow/ needs more than memcpy, memset, memmove, memcmp:" $undefined
	exit 1
fi
if git grep -n -E '\b(__asm__|__asm|asm)( volatile)? *\(' -- 'shadow/*.c' 'shadow/*.h'; then
	echo "portable: shadow/ holds assembly"
	exit 1
fi
if objdump -d "$1" | grep -m1 -E '%[xyz]mm[0-9]'; then
	echo "portable: shadow/ holds SIMD"
	exit 1
fi
echo "portable: shadow/ stands on memcpy, memset, memmove, memcmp alone"
