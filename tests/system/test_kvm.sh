#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The KVM backend on this host: a real-mode image runs, is traced and counted; what this KVM cannot do is
# refused in one line. Every run has a time limit that a CPU lost in the kernel does not survive.
set -u
build=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
failed=0
[ -w /dev/kvm ] || { echo "/dev/kvm is not there or not ours"; exit 77; }

fail() {
	echo "FAILED: $*"
	failed=1
}

# run ARGUMENT...: its exit status in $status.
run() {
	timeout -s KILL 60 "$build/abyme" run --machine kvm "$@" >"$out/stdout" 2>"$out/stderr" </dev/null
	status=$?
}

run --trace "$out/log" --stats "$out/stats" "$build/images/sector.bin"
[ "$status" = 1 ] || fail "sector.bin: status $status, $(cat "$out/stderr")"
sed 's/=.*//' "$out/stdout" >"$out/items"
ABYME_MACHINE=interp "$build/abyme" run "$build/images/sector.bin" | sed 's/=.*//' | cmp -s - "$out/items" ||
	fail "sector.bin prices other items than on the interpreter: $(cat "$out/stdout")"
grep -q '=0$' "$out/stdout" && fail "no cycles at all: $(cat "$out/stdout")"

# 1024 OUTs and 1024 INs at least, in the log as in the statistics.
exits=$(sed -n 's/.*"io-instruction": \([0-9]*\).*/\1/p' "$out/stats")
[ "${exits:-0}" -ge 2048 ] || fail "only ${exits:-0} port exits"
logged=$("$build/abyme" trace dump "$out/log" | grep -c IO_INSTRUCTION)
[ "$logged" = "$exits" ] || fail "$logged port exits in the log, $exits counted"

run --max-insns 1M "$build/images/sector.bin"
[ "$status" = 64 ] || fail "--max-insns: status $status"
if ! grep -qE '^flags.* (vmx|svm)( |$)' /proc/cpuinfo; then
	run "$build/images/hello.elf"
	[ "$status" = 68 ] && [ "$(wc -l <"$out/stderr")" = 1 ] ||
		fail "a 64-bit image without hardware virtualization: status $status, $(cat "$out/stderr")"
	ABYME_MACHINE=auto "$build/abyme" run --stats "$out/auto" "$build/images/hello.elf" >/dev/null
	grep -q '"machine": "interp"' "$out/auto" || fail "auto took a KVM without nested VMX"
fi
exit $failed
