#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# sides.sh BUILD: two L0s side by side on one machine, Linux/KVM and abyme, beneath three L1s: the bare handler of
# roundtrip, l1/tiny and Linux/KVM. What L0 executes for one round trip of L2, in retired instructions, from the
# machine's own log (abyme trace trips): medians over the trips, so that timer ticks do not count. Prints
# Markdown. Linux runs without mitigations and in pages of 4 KiB, nobody uses performance counters, the
# hypervisors keep no log. Needs `make linux`. Counts, not times: the same on every host.
set -eu
build=$1
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
linux=$build/l1/linux
[ -e "$linux/initrd-nested" ] || { echo "side by side: no $linux/initrd-nested, run make linux"; exit 0; }
iterations=${SIDES_ITERATIONS:-400}
words="panic=-1 quiet mitigations=off transparent_hugepage=never"
items=$((1 | 1 << 1 | 1 << 3 | 1 << 22)) # vmcall, cpuid, out_intercepted, first_touch
bench="--append 'uncounted items=$items iters=$iterations'"
in_kvm="abyme run --machine kvm"

# logged NAME OPTION...: one run, its log in $out/NAME.trace.
logged() {
	local name=$1
	shift
	seconds "$abyme" run --trace "$out/$name.trace" --stats "$out/$name.json" "$@" >/dev/null
	cp "$out/last" "$out/$name.out"
}
# over_linux NAME INITRD COMMAND: Linux/KVM as L0.
over_linux() {
	logged "$1" --mem 1G --initrd "$linux/$2" --append "console=ttyS0 $words run=\"$3\"" "$linux/bzImage"
}
hv="$images/hv.elf"
logged abyme.bare --hv-append nolog --append "iters=$iterations" --stack "$hv,$images/roundtrip.elf"
logged abyme.tiny --hv-append 'nolog lazy' --append "uncounted items=$items iters=$iterations" \
	--stack "$hv,$images/tiny.elf,$images/exitbench.elf"
logged abyme.linux --depth 1 --hv-append nolog --mem 512M --initrd "$linux/initrd" \
	--append "console=ttyS0 $words run=\"$in_kvm $bench bin/images/exitbench.elf\"" "$linux/bzImage"
over_linux kvm.bare initrd "$in_kvm --append iters=$iterations bin/images/roundtrip.elf"
over_linux kvm.tiny initrd "$in_kvm --hv-append lazy $bench --stack bin/images/tiny.elf,bin/images/exitbench.elf"
over_linux kvm.linux initrd-nested "WORDS='$words' nest $in_kvm $bench bin/images/exitbench.elf"

# trips NAME IMAGE SYMBOL REASON: "TRIPS EXITS L0 BETWEEN TYPICAL" of the L2 exits in that function.
trips() {
	"$abyme" trace trips --level 2 --reason "$4" --limit 1000 "$out/$1.trace" | awk -v range="$(
		nm -S "$images/$2.elf" | awk -v s="$3" '$NF == s { print $1, (NF == 4) ? $2 : "1" }')" '
		function number(text,   n, i) {
			for (i = 1; i <= length(text); i++)
				n = n * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
			return n
		}
		BEGIN { split(range, at, " "); from = number(at[1]); size = number(at[2]) }
		$3 == "reflected" && number($4) >= from && number($4) < from + size && $5 > most {
			most = $5
			line = $5 " " $6 " " $7 " " $9 " " substr($11, 2)
		}
		END { print line ? line : "0 0 0 0 0" }'
}

# steps NAME EXITS TYPICAL: what the trip is made of.
steps() {
	"$abyme" trace dump --level machine --seq "$3" --limit "$2" "$out/$1.trace" | awk '{
		detail = $0
		field = ($4 ~ /VMREAD|VMWRITE/ && sub(/.*; /, "", detail)) ? " " detail : ""
		match($0, /insns=[0-9]+/)
		printf "%s%s %s%s %s", (NR > 1 ? ", " : ""), $3, $4, field, substr($0, RSTART + 6, RLENGTH - 6)
	}'
}

item() { # NAME REASON ROUNDTRIP_SYMBOL EXITBENCH_SYMBOL
	local l1 image symbol abyme_trip kvm_trip
	for l1 in bare tiny linux; do
		image=exitbench symbol=$4
		[ $l1 != bare ] || image=roundtrip symbol=$3
		read -r -a abyme_trip <<<"$(trips abyme.$l1 $image "$symbol" "$2")"
		read -r -a kvm_trip <<<"$(trips kvm.$l1 $image "$symbol" "$2")"
		[ "${abyme_trip[0]}" != 0 ] && [ "${kvm_trip[0]}" != 0 ] ||
			{ echo "sides: no trips for $1, L1 $l1" >&2; exit 1; }
		printf '| %s | %s | %d | %d | %.2f | %d, %d | %d, %d |\n' "$1" $l1 "${abyme_trip[2]}" "${kvm_trip[2]}" \
			"$(ratio "${abyme_trip[2]}" "${kvm_trip[2]}" 3)" "${abyme_trip[1]}" "${kvm_trip[1]}" \
			"${abyme_trip[3]}" "${kvm_trip[3]}"
		echo "$1, L1 $l1, L0 abyme: $(steps abyme.$l1 "${abyme_trip[1]}" "${abyme_trip[4]}")" >>"$out/steps"
		echo "$1, L1 $l1, L0 Linux/KVM: $(steps kvm.$l1 "${kvm_trip[1]}" "${kvm_trip[4]}")" >>"$out/steps"
	done
}
: >"$out/steps"
echo '| L2 exit | L1 | L0 abyme | L0 Linux/KVM | ratio | exits | L1 itself |'
echo '|---|---|---|---|---|---|---|'
item CPUID CPUID l2_cpuid do_cpuid
item VMCALL VMCALL l2_vmcall do_vmcall
item 'port I/O' IO_INSTRUCTION l2_out do_out_intercepted
item 'EPT fault' EPT_VIOLATION l2_walk do_first_touch
echo
echo 'A typical trip of each, exit by exit, instructions of L0:'
echo
sed 's/^/* /' "$out/steps"
rm -f "$out"/{abyme,kvm}.{bare,tiny,linux}.trace
