#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# abyme run as scripts see it: exit statuses, one line on stderr and only when there is something to say,
# statistics, input from a file.
set -u
. "${0%/*}/common.sh"

# ends STATUS LINES-ON-STDERR ARGUMENT...
ends() {
	want=$1 lines=$2
	shift 2
	timeout 60 "$abyme" run "$@" >"$out/stdout" 2>"$out/stderr" </dev/null
	status=$?
	[ "$status" = "$want" ] || fail "run $*: status $status, not $want"
	[ "$(wc -l <"$out/stderr")" = "$lines" ] || fail "run $*: stderr has: $(cat "$out/stderr")"
}

ends 0 0 "$images/hello.elf"
ends 70 1 --append triple "$images/stops.elf"
ends 71 1 --append halt "$images/stops.elf"
ends 71 1 --append idle "$images/stops.elf"
ends 72 1 --append keyboard-reset "$images/stops.elf"
ends 72 1 --append control-reset "$images/stops.elf"
ends 33 0 --append exit-port "$images/stops.elf"
ends 1 0 "$images/sector.bin"
ends 64 1 --module "$images/hello.elf" "$images/sector.bin"
ends 75 1 --append spin --max-insns 1M "$images/stops.elf"
ends 64 1
ends 64 1 --mem 7X "$images/hello.elf"
ends 64 1 --cpu nonsense "$images/hello.elf"
ends 64 1 --cpu skylake,-nonsense "$images/hello.elf"
ends 64 1 --nonsense "$images/hello.elf"
ends 64 1 -x "$images/hello.elf"
ends 64 1 --m 64M "$images/hello.elf" # more than one begins so
ends 64 1 --json=3 "$images/hello.elf"
ends 64 1 "$images/hello.elf" --mem
ends 64 1 "$images/hello.elf" -m
ends 64 1 --depth 50 --mem 64M "$images/hello.elf"
ends 75 1 --depth 70 --mem 512M --max-insns 1M "$images/hello.elf" # as deep as memory allows
ends 65 1 "$0"
ends 65 1 --mem 2M --module "$images/hv.elf" --module "$images/hv.elf" --module "$images/hv.elf" \
	--module "$images/hv.elf" --module "$images/hv.elf" --module "$images/hv.elf" "$images/hello.elf"
ends 66 1 "$out/missing"
ends 66 1 --module "$out/missing" "$images/hello.elf"
ends 64 1 --machine vax "$images/hello.elf"
ends 64 1 --machine kvm --cpu skylake "$images/hello.elf"
ends 68 1 --serial "$out/missing/file" "$images/hello.elf"
ends 74 1 --trace "$out/missing/file" "$images/hello.elf"
ends 74 1 --stats "$out/missing/file" "$images/hello.elf"

ends 0 0 --append e9 "$images/stops.elf"
[ "$(cat "$out/stdout")" = e9 ] || fail "port 0xe9 printed: $(cat "$out/stdout")"
ends 0 0 --serial "$out/serial" "$images/hello.elf"
cmp -s "$out/serial" - <"$out/stdout" && fail "--serial FILE printed nothing or on stdout as well"
grep -q '^hello' "$out/serial" || fail "--serial FILE has: $(cat "$out/serial")"

# Statistics: exact where they must be, and the same in every run but for wall time.
ends 75 1 --append spin --max-insns 1234567 --stats "$out/a" "$images/stops.elf"
ends 75 1 --append spin --max-insns 1234567 --stats "$out/b" "$images/stops.elf"
grep -q '"instructions": 1234567,' "$out/a" || fail "not 1234567 instructions: $(cat "$out/a")"
steady "$out/a" >"$out/a.fixed"
steady "$out/b" | cmp -s - "$out/a.fixed" || fail "statistics differ between two runs"
for key in machine depth cpu cycles wall_s cpu_s mips peak_rss_kib stop exit_status console_digest vm_exits; do
	grep -q "\"$key\":" "$out/a" || fail "no $key in the statistics"
done

# The profile: every retired instruction is in both its tables, code of the stack's images has its name, and the run is
# the one without.
ends 0 0 --depth 1 --append iters=2 --stats "$out/a" "$images/roundtrip.elf"
ends 0 0 --depth 1 --append iters=2 --stats "$out/b" --profile "$out/profile" "$images/roundtrip.elf"
insns=$(sed -n 's/.*"instructions":[^0-9]*\([0-9]*\).*/\1/p' "$out/a")
for key in instructions cycles console_digest; do
	[ "$(grep "$key" "$out/a")" = "$(grep "$key" "$out/b")" ] || fail "--profile changes the $key"
done
sums=$(awk '/^#/ { table++; next } { sum[table] += $1 } END { print sum[1], sum[2] }' "$out/profile")
[ "$sums" = "$insns $insns" ] || fail "the profile's tables have $sums instructions of $insns"
for name in 'hv.elf exit_handle' 'roundtrip.elf handle_bare' 'hv.elf entry_exit_stub+0x0'; do
	grep -q " $name\$" "$out/profile" || fail "no $name in the profile"
done
ends 74 1 --profile "$out/missing/file" "$images/hello.elf"

# Input from a file: all of it arrives, at the same times in every run.
printf 'some words\nand q' >"$out/input"
for run in 1 2; do
	timeout 60 "$abyme" run --append echo --stats "$out/echo$run" "$images/stops.elf" <"$out/input" >"$out/echoed" ||
		fail "echo ended with $?"
	cmp -s "$out/input" "$out/echoed" || fail "echoed: $(cat "$out/echoed")"
	grep 'instructions\|cycles' "$out/echo$run" >"$out/echo$run.time"
done
cmp -s "$out/echo1.time" "$out/echo2.time" || fail "input arrived at different times"
printf 'pipeq' | timeout 60 "$abyme" run --append echo "$images/stops.elf" | grep -q '^pipeq$' || fail "input from a pipe"

[ $failed = 0 ] && echo "exit statuses, statistics and input are as documented"
exit $failed
