#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# L1s that attack: random and hostile VMX state must end in a power-off or in the hypervisor's
# report of its guest's mistake, never in a fault of the hypervisor, and L2 never reads what is
# the hypervisor's.
set -u
build=$1
failed=0
seeds=${SEEDS:-4}

# attack DEPTH CPU OPTIONS
attack() {
	output=$(timeout 100 "$build/abyme" run --depth "$1" --cpu "$2" --append "$3" --mem 64M \
		--max-insns 4G "$build/images/fuzzvmx.elf" 2>&1)
	status=$?
	case $status in
	0) ended=$((ended + 1)) ;;
	225) # exit port 0x70: who is right beneath the attacker ends it, nobody further down
		reported=$((reported + 1))
		echo "$output" | grep -q "level $(($1 - 1)) ends its guest" ||
			{ echo "depth $1, $2, $3:"; echo "$output" | head -5; failed=1; } ;;
	*) echo "depth $1, $2, $3: exit status $status"; echo "$output" | head -5; failed=1 ;;
	esac
}

for cpu in skylake skylake,-vmcs-shadowing skylake,-unrestricted-guest nehalem; do
	for depth in 1 2; do
		ended=0 reported=0
		for seed in $(seq "$seeds"); do
			attack $depth $cpu "seed=$seed rounds=150"
		done
		echo "$cpu depth $depth: $ended ran to their end, $reported were ended"
	done
done

# Going for the hypervisor's memory directly is always the end, and brings nothing.
for seed in $(seq "$seeds"); do
	ended=0 reported=0
	attack 1 skylake "seed=$seed touch"
	[ $reported = 1 ] || { echo "touch, seed $seed: not ended"; failed=1; }
done
exit $failed
