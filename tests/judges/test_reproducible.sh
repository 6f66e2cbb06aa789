#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The same run to the last bit from every build of the machine: gcc and clang, -O0 and -O2, and an aarch64
# build under qemu-user. Compares the trace and console digests of a depth-2 run; on aarch64 every instruction
# with what an x86-64 CPU made of it, too (ABYME_STATES=10000 for all that is recorded).
set -eu
build=$1
out=$build/reproducible
mkdir -p "$out"

# run NAME COMMAND...: one run, its digests on stdout.
run() {
	name=$1
	shift
	"$@" run --depth 2 --hv "$build/images/hv.elf" --append rounds=1 --trace "$out/$name.trace" \
		--stats "$out/$name.json" "$build/images/equiv.elf" >"$out/$name.txt" </dev/null ||
		{ echo "$name: the run failed"; cat "$out/$name.txt"; exit 1; }
	grep -E '"(trace_digest|console_digest|instructions|cycles)"' "$out/$name.json" | tr -d ' \t\n'
	echo
}

expect=$(run default "$build/abyme")
echo "default: $expect"

# compare NAME COMMAND...
compare() {
	got=$(run "$@")
	echo "$1: $got"
	[ "$got" = "$expect" ] || { echo "$1 differs from the default build"; exit 1; }
}

for compiler in gcc clang; do
	for level in -O0 -O2; do
		name=$compiler$level
		[ "$name" = gcc-O2 ] && continue
		command -v $compiler >/dev/null || { echo "$compiler is missing: run .ci/setup judges"; exit 77; }
		make -s -j2 O="$out/$name" CC=$compiler OPT=$level "$out/$name/abyme"
		compare "$name" "$out/$name/abyme"
	done
done

if ! command -v aarch64-linux-gnu-gcc >/dev/null || ! command -v qemu-aarch64 >/dev/null; then
	echo "aarch64-linux-gnu-gcc or qemu-aarch64 is missing: run .ci/setup judges"
	exit 77
fi
.ci/arm64-libs "$out/arm64"
root=$(cd "$out/arm64/tree" && pwd)
libs=$root/usr/lib/aarch64-linux-gnu
vectors=$out/aarch64/tests/l0/machine/interp/test_vectors
make -s -j2 O="$out/aarch64" CC="aarch64-linux-gnu-gcc -isystem $root/usr/include" AR=aarch64-linux-gnu-ar \
	HOSTLIBS="$libs/libjansson.a -lm" TESTLIBS="$libs/libcmocka.so" "$out/aarch64/abyme" "$vectors"
export QEMU_LD_PREFIX=/usr/aarch64-linux-gnu
compare aarch64 qemu-aarch64 "$out/aarch64/abyme"
ABYME_STATES=${ABYME_STATES:-125} qemu-aarch64 -E LD_LIBRARY_PATH="$libs" "$vectors"
