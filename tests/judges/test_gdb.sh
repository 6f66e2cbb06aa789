#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A stock gdb on a stack of two hypervisors: stops in L2 and looks at L1 and L0, steps over L1's VMRESUME into
# L2, stops at an EPT violation, and leaves a run that printed what it prints without a debugger.
set -u
build=$1
images=$build/images
command -v gdb >/dev/null || { echo "gdb is missing: run .ci/setup judges"; exit 77; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
failed=0

cat >"$out/script" <<END
set pagination off
set confirm off
add-symbol-file $images/hv.elf
break do_cpuid
continue
info threads
bt 3
thread find L1,
python [t.switch() for t in gdb.selected_inferior().threads() if t.ptid[1] == 2]
info symbol \$pc
python [t.switch() for t in gdb.selected_inferior().threads() if t.ptid[1] == 1]
info symbol \$pc
delete
monitor catch insn VMRESUME 1
continue
x/i \$pc
monitor uncatch
stepi
info symbol \$pc
monitor catch exit 48 2
continue
info symbol \$pc
monitor level
monitor uncatch
set var \$before = \$rsp
continue
END

timeout 100 "$build/abyme" run --machine interp --gdb 0 --depth 2 --append iters=2 --stats "$out/stats" \
	"$images/exitbench.elf" >"$out/console" 2>"$out/stderr" &
machine=$!
for _ in $(seq 100); do
	port=$(sed -n 's/.*target remote :\([0-9]*\).*/\1/p' "$out/stderr")
	[ -z "$port" ] || break
	sleep 0.1
done
timeout 100 gdb -batch -nx -ex "target remote 127.0.0.1:$port" -x "$out/script" "$images/exitbench.elf" >"$out/gdb" 2>&1
wait $machine || { echo "the machine ended with $?: $(cat "$out/stderr")"; failed=1; }

# in_order LINE...: gdb printed lines like these, one after the other.
in_order() {
	at=1
	for line; do
		found=$(tail -n +$at "$out/gdb" | grep -n -m1 -- "$line" | cut -d: -f1)
		[ -n "$found" ] || { echo "gdb printed nothing like: $line"; failed=1; return; }
		at=$((at + found))
	done
}
in_order 'hit Breakpoint 1, do_cpuid' 'L0, as its VMCS has it' 'L2, running' '#1 .*measure' 'enter\|ready\|.* in section .text' \
	' in section .text' 'L1 is about to execute VMRESUME' 'vmresume' 'do_cpuid' 'VM exit of L2: EPT_VIOLATION' \
	'L2 rip=' 'exited normally'

"$build/abyme" run --machine interp --depth 2 --append iters=2 --stats "$out/plain" "$images/exitbench.elf" >"$out/plain.console"
cmp "$out/console" "$out/plain.console" || failed=1
digest() { grep 'console_digest\|"instructions"' "$1"; }
[ "$(digest "$out/stats")" = "$(digest "$out/plain")" ] || { echo "the run is another one"; failed=1; }
[ $failed = 0 ] && digest "$out/stats" | tr -d '\t\n'
[ $failed = 0 ] || cat "$out/gdb"
exit $failed
