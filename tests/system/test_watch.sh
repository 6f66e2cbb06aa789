#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# --watch tells events with level and symbol, --report the state of every level; neither changes the run.
set -u
. "${0%/*}/common.sh"

plain=$out/plain watched=$out/watched
"$abyme" run --depth 2 --stats "$plain" --append iters=1 "$images/exitbench.elf" >/dev/null 2>&1
"$abyme" run --depth 2 --stats "$watched" --append iters=1 --report \
	--watch exits,vmentry,interrupts,exceptions,msr,io,cpuid "$images/exitbench.elf" >/dev/null 2>"$out/lines"
steady "$plain" >"$out/a"
steady "$watched" | cmp -s "$out/a" - || fail "watching changes the run"

# One line for each exit that the machine counted, and for each way into a guest.
exits=$(awk -F: '/"vm_exits"/ { on = 1; next } on && /}/ { exit } on { n += $2 } END { print n }' "$watched")
told=$(grep -c ' exit ' "$out/lines")
[ "$told" = "$exits" ] || fail "$told exits told, $exits counted"
for line in 'L2 exit CPUID .* do_cpuid+.*(exitbench.elf)' 'L1 exit VMRESUME .*(hv.elf)' 'L2 out8 3f8 ' \
	'L1 vmentry ' 'L2 wrmsr 83f = ' 'L2 interrupt 160 ' 'L0 rdmsr ' 'L0 cpuid '; do
	grep -q "$line" "$out/lines" || fail "no line like: $line"
done

# The state of three levels, running or not, each with what called it.
"$abyme" run --report --depth 2 --max-insns 1200000 "$images/exitbench.elf" >/dev/null 2>"$out/report"
grep -q '^L[012], running: .*' "$out/report" || fail "nobody runs: $(head -3 "$out/report")"
for level in 0 1 2; do
	grep -q "^L$level" "$out/report" || fail "nothing of L$level"
done
sed -n '/^L2/,$p' "$out/report" >"$out/l2"
grep -q ' measure+.*(exitbench.elf)' "$out/l2" || fail "no stack of L2"
grep -q ' GUEST_RIP=' "$out/l2" || fail "no VMCS of L2"
grep -q '^Last VM exits of ' "$out/report" || fail "no last exits"

status=0
"$abyme" run --watch exits,nonsense "$images/hello.elf" 2>"$out/error" || status=$?
[ $status = 64 ] && grep -q nonsense "$out/error" || fail "--watch nonsense: $status, $(cat "$out/error")"
status=0
"$abyme" run --symbols "$0" "$images/hello.elf" 2>"$out/error" || status=$?
[ $status = 66 ] && grep -q 'symbol table' "$out/error" || fail "--symbols: $status, $(cat "$out/error")"
[ $failed = 0 ] && echo "$told exits told as counted; the state of three levels"
exit $failed
