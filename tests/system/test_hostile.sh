#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A hostile L1 (tests/guests/hostile.c), 100,000 attempts at entry and more from fixed seeds: the hypervisor never
# dies, no guest gets a translation to its memory (the machine's guard), and what a guest does to itself is
# reported with a reason.
set -u
build=$1
image=$build/images/hostile.elf
out=$(mktemp)
trap 'rm -f "$out"' EXIT
failed=0 attempts=0 ended=0

fail() {
	echo "failed: $*"
	head -5 "$out"
	failed=1
}

# hostile DEPTH WORDS: status 0 after all attempts; 225 when the hypervisor ended its guest with a report.
hostile() {
	timeout 280 "$build/abyme" run --depth "$1" --append "$2" "$image" >"$out" 2>&1 </dev/null
	status=$?
	case $status in
	0) count=$(sed -n 's/^seed=.* attempts=\([0-9]*\) .*/\1/p' "$out") ;;
	225)
		grep -q 'ends its guest: ' "$out" || fail "depth $1, $2: no reason given"
		count=$(awk '/exits VM(LAUNCH|RESUME)/ { n += $1 } END { print n + 0 }' "$out")
		ended=$((ended + 1))
		;;
	*) count=0 && fail "depth $1, $2: exit status $status" ;;
	esac
	attempts=$((attempts + ${count:-0}))
}

seed=0
while [ $attempts -lt 100000 ] && [ $seed -lt 60 ]; do
	seed=$((seed + 1))
	hostile 1 "seed=$seed entries=5000"
done
[ $attempts -ge 100000 ] || fail "only $attempts attempts"
for seed in 101 102 103 104 105 106 107 108 109 110; do
	hostile 1 "seed=$seed entries=2000 reach"
done
for seed in 201 202 203; do
	hostile 2 "seed=$seed entries=1000"
done
for features in vmcs-shadowing vpid ept-ad unrestricted-guest; do
	timeout 280 "$build/abyme" run --cpu "skylake,-$features" --depth 1 --append "seed=7 entries=2000" "$image" >"$out" 2>&1
	status=$?
	[ $status = 0 ] || [ $status = 225 ] || fail "-$features: exit status $status"
done
echo "$attempts attempts, $ended guests ended with a report"

for end in 'triple fault' 'abort VMX abort' 'memory memory that is not its own'; do
	"$build/abyme" run --depth 1 --append "die=${end%% *}" "$image" >"$out" 2>&1
	status=$?
	[ $status = 225 ] && grep -q "ends its guest: .*${end#* }" "$out" || fail "die=${end%% *}: exit status $status"
done

# The guard itself must be able to fail.
"$build/abyme" run --append "seed=1 entries=1000 guard" "$image" >"$out" 2>&1
status=$?
[ $status = 78 ] || fail "the guard saw nothing: exit status $status"
exit $failed
