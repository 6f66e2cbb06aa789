#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What a hypervisor finds above ours is what the machine offers: every VMX control and capability and every CPUID leaf
# of each profile at depths 1 and 2 against depth 0. The differences are these and no others.
set -u
build=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
failed=0

# PROFILE, sign (+: above a hypervisor only), fact: why.
cat >"$out/expected" <<'END'
all - hypervisor clear: CPUID.1:ECX[31] tells of a hypervisor
all + hypervisor set: the same
nehalem + SECONDARY_VMCS_SHADOWING: VMREAD and VMWRITE have an emulation, so it costs the machine nothing
nehalem + SECONDARY_EPT_VIOLATION_VE: EPT violations pass through us, so #VE is ours to raise
nehalem + MISC bit 29: VMWRITE to any field, emulated as well
nehalem - control word 2 0000047f00000000: the word with the two controls above
nehalem + control word 2 0004447f00000000: the same
END

# CPUID.1:ECX[31] as a line of its own, the rest of the leaf without it.
facts() {
	timeout 60 "$build/abyme" run --cpu "$1" --depth "$2" "$build/images/caps.elf" </dev/null | awk '
		/^CPUID 1\./ {
			print "hypervisor", $5 ~ /^[89a-f]/ ? "set" : "clear"
			digit = index("0123456789abcdef", substr($5, 1, 1)) - 1
			$5 = (digit % 8) substr($5, 2)
		}
		{ print }' | sort -u
}

for profile in skylake sapphire-rapids nehalem; do
	facts $profile 0 >"$out/0"
	[ "$(wc -l <"$out/0")" -gt 100 ] || { echo "$profile: no facts"; failed=1; }
	sed -n "s/^\(all\|$profile\) \([-+] [^:]*\):.*/\2/p" "$out/expected" | sort >"$out/allowed"
	for depth in 1 2; do
		facts $profile $depth >"$out/$depth"
		diff "$out/0" "$out/$depth" | sed -n 's/^< /- /p; s/^> /+ /p' | sort >"$out/seen"
		cmp -s "$out/allowed" "$out/seen" && continue
		echo "$profile, depth $depth: differences that nobody explains, or explained ones that are not there:"
		diff "$out/allowed" "$out/seen"
		failed=1
	done
done
[ $failed = 1 ] || echo 'the same VMX at depths 0 to 2, but for what the table says'
exit $failed
