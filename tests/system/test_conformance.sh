#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The conformance runner on a suite of its own making: images are shell scripts, and so is `abyme`. What
# unittests.cfg says must reach the command line, and every kind of end its verdict.
set -u
. "${0%/*}/common.sh"

mkdir -p "$out/suite/x86" "$out/build"
cat >"$out/build/abyme" <<'END'
#!/bin/sh
for image; do :; done
echo "args: $*"
. "$image"
END
chmod +x "$out/build/abyme"
echo ARCH=x86_64 >"$out/suite/config.mak"
image() {
	cat >"$out/suite/x86/$1.flat"
}
echo 'echo "PASS: a"; echo "PASS: b"; exit 1' | image good
echo 'echo "PASS: a"; echo "FAIL: b"; exit 3' | image bad
echo 'echo "XPASS: a"; exit 3' | image surprise
echo 'echo "SKIP: a"; exit 77' | image skip
echo 'echo "SKIP: a"; echo "PASS: b"; exit 1' | image partly
echo 'exit 127' | image abort
echo 'exit 70' | image triple
echo 'while :; do :; done' | image hang
cp "$out/suite/x86/good.flat" "$out/suite/x86/vmx.flat"
cat >"$out/suite/x86/unittests.cfg" <<'END'
# comment
[good]
file = good.flat
test_args = 'one two'
qemu_params = -cpu qemu64,-pcid,+invpcid -m 2g
[bad]
file = bad.flat
[surprise]
file = surprise.flat
[skip]
file = skip.flat
arch = x86_64
[partly]
file = partly.flat
[abort]
file = abort.flat
[triple]
file = triple.flat
[hang]
file = hang.flat
timeout = 1
[other]
file = good.flat
arch = i386
[missing]
file = missing.flat
[never]
file = hang.flat
END
printf 'struct vmx_test vmx_tests[] = {\n\t{ "two words", x },\n\tTEST(listed),\n\t{ NULL }\n};\n' \
	>"$out/suite/x86/vmx_tests.c"
printf '\tif (test_wanted("early", argv, argc))\n' >"$out/suite/x86/vmx.c"

# expect STATUS ROW...: a run with these rows.
expect() {
	want=$1
	shift
	printf '%s\n' "$@" >"$out/expected"
	EXPECTED=$out/expected SCALE=1 JOBS=4 DEPTH=${depth:-0} TESTS=${tests:-*} tests/conformance/run.sh \
		"$out/suite" "$out/build" >"$out/table" 2>&1
	status=$?
	[ "$status" = "$want" ] || { fail "status $status, not $want"; cat "$out/table"; }
}

# has REGEX: a line of the table.
has() {
	grep -Eq "$1" "$out/table" || { fail "no line like $1"; cat "$out/table"; }
}

set -- 'bad * FAIL:1 0 why' 'surprise * XPASS 0 why' 'skip 0+ SKIP * why' 'partly 0,3 PASS 1 why' 'abort * ABORT 0 why' \
	'triple * END70 0 why' 'hang * TIMEOUT 0 why' 'x86_64/missing * NOFILE 0 why' 'never * NOTRUN 0 why'
expect 0 "$@"
has '^good +PASS +2 +0 +0 +0 '
has '^bad +FAIL +1 +1 +0 '
has '^partly +PASS +1 +0 +1 .*\(why\)'
has '^vmx:two_words +PASS'
has '^vmx:listed +PASS'
has '^vmx:early +PASS'
has '13 tests'
! grep -q '^other' "$out/table" || fail "a test of another architecture was run"
grep -q -- '--cpu skylake,-pcid,+invpcid,+vmx-invpcid --mem 2048M --depth 0 .*--append one two .*/good.flat' \
	"$out/build/conformance/x86_64-depth0/good.log" || fail "arguments: $(cat "$out"/build/conformance/*/good.log)"
grep -q '^bad: FAIL: b' "$out/build/conformance/x86_64-depth0/subtests" || fail "subtests"

tests='[!h]*' # once is enough
expect 2 "$@" 'good * FAIL:1 0 why'
has '^good .*better'
expect 1 "$@" 'good * FAIL:1 0'
has 'has no reason'
tests='part* good' depth=3
expect 0 "$@"
has '2 tests'
depth=2
expect 1 "$@"
has '^partly .*WORSE: expected 0 skipped'
depth=0 tests='[!h]*'
shift
expect 1 "$@"
has '^bad .*WORSE: expected PASS'

# Over Linux/KVM: a Linux that unpacks its initial RAM disk, runs what that says and tells the status as init does.
mkdir -p "$out/build/l1/linux"
cat >"$out/build/l1/linux/mkinitrd" <<'END'
#!/bin/sh
packed=$1.d
shift
mkdir -p "$packed"
for pair; do
	cp "${pair#*=}" "$packed/$(basename "${pair%%=*}")"
done
echo "packed=$packed" >"${packed%.d}"
END
chmod +x "$out/build/l1/linux/mkinitrd"
: >"$out/build/l1/linux/initrd"
cat >"$out/build/l1/linux/bzImage" <<'END'
while [ $# -gt 1 ]; do
	[ "$1" != --initrd ] || . "$2"
	shift
done
sed "s|/kut/|$packed/|g" "$packed/run" >"$packed/here"
PATH=$(dirname "$0"):$PATH sh "$packed/here" || echo "init: status $?"
exit 0
END
tests='good bad triple' depth=1
export PLACE=kvm
expect 0 'bad kvm:1 FAIL:1 0 why' 'triple kvm:0+ END70 0 why' 'good 1 FAIL:1 0 of the bare machine'
has '^good +PASS +2 +0 +0 +0 '
has '^Linux/KVM, depth 1.* 3 tests'
log=$out/build/conformance/x86_64-kvm-depth1/good.log
grep -q -- '--machine kvm --depth 1 .*--append one two .*/image' "$log" || fail "arguments in Linux: $(cat "$log")"
grep -q -- '--cpu skylake,-pcid,.* --initrd .*run=/kut/run' "$log" || fail "arguments of Linux: $(cat "$log")"
expect 1 'bad kvm:0 FAIL:1 0 why' 'triple 1 END70 0 of the bare machine'
has '^bad .*WORSE: expected PASS'
has '^triple .*WORSE: expected PASS'
rm "$out/build/l1/linux/initrd"
expect 64
exit $failed
