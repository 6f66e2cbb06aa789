#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# stacks.sh BUILD [STACK]...: the stacks of l1/README.md with Linux/KVM (a to e; default all) on the interpreter: how long
# they take, their exits by level and reason, what exitbench's operations cost in each, and whether the log's totals
# are the machine's (totals.sh); stack d twice, to the same digests. Prints Markdown. Needs `make linux`. Everything
# but wall and CPU time is the same in every run and on every host.
set -eu
build=$1
shift
[ $# -gt 0 ] || set -- a b c d e
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
linux=$build/l1/linux
[ -e "$linux/initrd-nested" ] || { echo "stacks: no $linux/initrd-nested, run make linux"; exit 0; }
in_kvm="abyme run --machine kvm"

# by_level STATS: a row for L0 and for each guest, its exits most frequent first.
by_level() {
	awk '
		function row(   line, most, reason) {
			for (; reasons; reasons--) {
				most = ""
				for (reason in n)
					if (most == "" || n[reason] > n[most] || (n[reason] == n[most] && reason < most))
						most = reason
				line = line (line ? ", " : "") most " " n[most]
				delete n[most]
			}
			printf "| %s | %.1f | %s | %d | %s |\n", level, own / 1e6, l0, total, line
			total = 0
			l0 = ""
		}
		/^    "by_level": / { on = 1; next }
		!on { next }
		/^    }/ { exit }
		{ indent = match($0, /[^ ]/) - 1; gsub(/[":,{}]/, "") }
		$1 == "retired" { own = $2; next }
		$1 == "retired_by_l0" { l0 = sprintf("%.1f", $2 / 1e6); next }
		indent == 8 && NF { level = $1; next }
		indent == 8 { row(); next }
		indent == 16 { n[$1] = $2; total += $2; reasons++ }' "$1"
}

# stack NAME WHAT INITRD COMMAND OPTION...: one run, from power-on to off. Its console goes line by line, with the
# wall's time before each, to $out/NAME.out.
stack() {
	local name=$1 what=$2 initrd=$3 command=$4 from=$EPOCHREALTIME status=0
	shift 4
	"$abyme" run --trace "$out/$name.trace" --stats "$out/$name.json" --initrd "$linux/$initrd" \
		--append "console=ttyS0 panic=-1 quiet run=\"$command\"" "$@" "$linux/bzImage" <"$out/input" 2>&1 |
		while IFS= read -r line; do
			printf '%s %s\n' "$(awk -v a="$from" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')" "${line%$'\r'}"
		done >"$out/$name.out"
	status=${PIPESTATUS[0]}
	[ "$status" = 0 ] || { echo "stacks: $name ends with status $status" >&2; tail -20 "$out/$name.out" >&2; exit 1; }
	cp "$out/$name.json" "$out/stats.json"
	printf '### %s. %s\n\n' "${name:0:1}" "$what"
	awk '/ init: up / {
		printf "* First process of Linux %d: %s s of its time after its kernel began, %.1f s of wall time after power-on\n", ++n, $4, $1
	}' "$out/$name.out"
	printf '* Altogether %s s of virtual time, %s s of wall time, %s s of CPU time; %s million instructions\n' \
		"$(ratio "$(stat cycles)" 1000000000)" "$(ratio "$(stat wall_s)" 1 1)" "$(ratio "$(stat cpu_s)" 1 1)" \
		"$(ratio "$(stat instructions)" 1000000 0)"
	echo "* $(tests/bench/totals.sh "$build" "$out/$name.trace" "$out/$name.json" | sed 's/^t/T/')"
	printf '\n| guest | million instructions | of L0 for it | exits | by reason |\n|---|---|---|---|---|\n'
	by_level "$out/$name.json"
	echo
}

# below NAME: a line for each operation of exitbench: what all levels below the guest that runs it execute, the median
# of its trips, as "ITEM INSTRUCTIONS"; a few trips are somebody's interrupts. The guest is the deepest one there is.
below() {
	local deepest
	deepest=$(sed -n 's/^        "L\([0-9]*\)": .*/\1/p' "$out/$1.json" | tail -n 1)
	{
		nm -S "$images/exitbench.elf" | awk '$3 ~ /[tT]/ && NF == 4 && $4 ~ /^(do|exitbench)_/ && $4 !~ /_(start|stop)_/ { print "symbol", $1, $2, $4 }'
		"$abyme" trace trips --level "$deepest" --limit 10000 "$out/$1.trace"
	} | awk -v least=9 '
		function number(text,   n, i) {
			for (i = 1; i <= length(text); i++)
				n = n * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
			return n
		}
		$1 == "symbol" { from[$4] = number($2); size[$4] = number($3); next }
		/^L/ {
			at = number($4)
			for (s in from)
				if (at >= from[s] && at < from[s] + size[s] && $5 >= least && $5 > most[s]) {
					most[s] = $5
					cost[s] = $7 + $9
				}
		}
		END { for (s in cost) print s, cost[s] }'
}

# exitbench NAME...: a column for each stack, by the names of the operations.
exitbench() {
	local name
	printf '### exitbench: instructions of all levels below it for one operation\n\n| operation |'
	for name; do
		below "$name" >"$out/$name.below"
		printf ' %s |' "$name"
	done
	printf '\n|---|'
	for name; do
		printf '%s' '---|'
	done
	echo
	for name; do
		sed "s/^/$name /" "$out/$name.below"
	done | awk -v names="$*" '
		BEGIN { count = split(names, name, " ") }
		{ seen[$2]; cost[$1, $2] = $3 }
		END {
			for (item in seen) {
				line = item
				sub(/^(do|exitbench)_/, "", line)
				line = "| " line " |"
				for (i = 1; i <= count; i++)
					line = line " " (((name[i], item) in cost) ? cost[name[i], item] : "-") " |"
				print line
			}
		}' | sort
}

: >"$out/input"
bench="--append 'uncounted iters=40'"
ran=
for which; do
	case $which in
	a) stack a 'machine > hv > Linux/KVM > exitbench' initrd "$in_kvm $bench bin/images/exitbench.elf" --depth 1 ;;
	b)
		stack b 'machine > Linux/KVM > hv > tiny > exitbench' initrd \
			"$in_kvm --append 'awake uncounted iters=40' --stack bin/images/hv.elf,bin/images/tiny.elf,bin/images/exitbench.elf" --mem 512M
		stack b2 'machine > Linux/KVM > hv > roundtrip, a bare L1 handler' initrd \
			"$in_kvm --depth 1 --append iters=40 bin/images/roundtrip.elf" --mem 512M
		;;
	c) stack c 'machine > hv > hv > Linux/KVM > exitbench' initrd "$in_kvm $bench bin/images/exitbench.elf" --depth 2 ;;
	d)
		# Newlines go before what the inner kernel empties out of its FIFO.
		{ yes '' | head -60; echo 'echo inner=$((6 * 7)); exit'; } >"$out/input"
		stack d 'machine > hv > Linux/KVM > Linux, to a shell' initrd-nested nest --depth 1 --mem 1G
		grep -q ' inner=42' "$out/d.out" || { echo "stacks: d: no shell" >&2; exit 1; }
		cp "$out/d.json" "$out/d.first"
		stack d 'the same once more' initrd-nested nest --depth 1 --mem 1G
		for digest in console_digest trace_digest; do
			line=$(grep "\"$digest\"" "$out/d.json")
			[ "$line" = "$(grep "\"$digest\"" "$out/d.first")" ] || { echo "stacks: d: two runs differ: $digest" >&2; exit 1; }
			echo "* both runs: $line" | tr -d '",' | tr -s ' '
		done
		: >"$out/input"
		;;
	e)
		stack e 'machine > Linux/KVM > Linux/KVM > hv > exitbench' initrd-nested \
			"nest $in_kvm --depth 1 --append 'uncounted iters=10' bin/images/exitbench.elf" --mem 1G
		;;
	*) echo "stacks: no stack $which: a to e" >&2; exit 64 ;;
	esac
	[ "$which" = d ] || ran="$ran $which"
done
# shellcheck disable=SC2086
[ -z "$ran" ] || exitbench $ran
rm -f "$out"/{a,b,b2,c,d,e}.trace
