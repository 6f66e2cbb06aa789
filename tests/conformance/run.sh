#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# run.sh KUT [BUILD]: runs the x86 tests of the kvm-unit-tests tree KUT, which its owner has configured and
# built, as its x86/unittests.cfg says, and compares the verdicts with expected.txt. From the environment:
#   DEPTH=0      hypervisors beneath each test
#   PLACE=bare   what is beneath those: the machine, or Linux/KVM on it (kvm; needs `make linux`)
#   TESTS='*'    which jobs, as shell patterns (`vmx:*`, `access* smap`); vmx:NAME is one test of vmx.flat
#   JOBS         how many at a time (the cores there are)
#   EXPECTED     another table than expected.txt
#   SCALE=4      the suite's time limits, made for hardware, times this, and times DEPTH + 1
# Logs, and every subtest in one file, are left in BUILD/conformance/.
set -u
here=$(dirname "$0")
[ $# -ge 1 ] && [ -f "$1/x86/unittests.cfg" ] && [ -f "$1/config.mak" ] || {
	echo "conformance: give a configured and built kvm-unit-tests tree: make conformance KUT=DIR" >&2
	exit 64
}
KUT=$1 build=${2:-build}
ABYME=$build/abyme DEPTH=${DEPTH:-0} PLACE=${PLACE:-bare} SCALE=${SCALE:-4} TESTS=${TESTS:-*} JOBS=${JOBS:-$(nproc)}
EXPECTED=${EXPECTED:-$here/expected.txt}
arch=$(sed -n 's/^ARCH=//p' "$KUT/config.mak")
LINUX=$build/l1/linux
case $PLACE in
bare) OUT=$build/conformance/$arch-depth$DEPTH ;;
kvm) OUT=$build/conformance/$arch-kvm-depth$DEPTH ;;
*) echo "conformance: PLACE is bare or kvm" >&2; exit 64 ;;
esac
[ "$PLACE" = bare ] || [ -e "$LINUX/initrd" ] || { echo "conformance: no $LINUX/initrd: make linux" >&2; exit 64; }
export KUT ABYME OUT DEPTH PLACE LINUX SCALE
rm -rf "$OUT"
mkdir -p "$OUT"
: >"$OUT/results"

# Whether TESTS names this job.
is_wanted() {
	set -f
	for pattern in $TESTS; do
		# shellcheck disable=SC2254 # a pattern it is
		case $1 in $pattern) set +f; return 0 ;; esac
	done
	set +f
	return 1
}

awk -f "$here/list.awk" "$here/machine.txt" "$KUT/x86/vmx_tests.c" "$KUT/x86/vmx.c" "$KUT/x86/unittests.cfg" |
	while IFS=$(printf '\t') read -r name file args mem cpu seconds job_arch environment device; do
		{ [ "$job_arch" = - ] || [ "$job_arch" = "$arch" ]; } && is_wanted "$name" || continue
		if grep -Eq "^($arch/)?$name [^ ]+ NOTRUN" "$EXPECTED"; then
			printf '%s\tNOTRUN\t0\t0\t0\t0\t0\n' "$name" >>"$OUT/results"
			continue
		fi
		if [ ! -f "$KUT/x86/$file" ]; then
			printf '%s\tNOFILE\t0\t0\t0\t0\t0\n' "$name" >>"$OUT/results"
			continue
		fi
		printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\0' "$name" "$file" "$args" "$mem" "$cpu" "$seconds" \
			"$job_arch" "$environment" "$device"
	done | xargs -0 -r -n 1 -P "$JOBS" "$here/one.sh"
[ ! -t 2 ] || printf '\r\033[K' >&2

for log in "$OUT"/*.log; do
	[ ! -f "$log" ] || sed -n "s/\r\$//; s/^\(PASS\|FAIL\|SKIP\|XPASS\|XFAIL\|KFAIL\): /&/p" "$log" |
		sed "s|^|$(basename "$log" .log): |"
done >"$OUT/subtests"
sort "$OUT/results" | awk -v depth="$DEPTH" -v place="$PLACE" -v arch="$arch" -f "$here/report.awk" "$EXPECTED" - \
	>"$OUT/table"
status=$?
cat "$OUT/table"
exit $status
