#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What comes from outside, under ASan and UBSan: images, modules, options, trap logs, cut, damaged or
# wrong. Every refusal is one line of our own on stderr and a documented exit status; nothing crashes. The
# unit tests of whatever parses or loads run sanitized too.
set -u
build=$1
out=$build/sanitized
images=$build/images
abyme=$out/abyme
failed=0
# No documented status has this value, so a report cannot pass for a guest's exit.
export ASAN_OPTIONS=exitcode=98 UBSAN_OPTIONS=exitcode=98:print_stacktrace=1

units=$(ls tests/l0/machine/test_*.c tests/l0/hv/test_*.c tests/l1/lib/test_*.c tests/traces/test_*.c \
	tests/shadow/test_*.c tests/shadow/*/test_*.c | sed "s,\(.*\)\.c\$,$out/\1,")
mkdir -p "$out"
echo 'int main(void) { return 0; }' >"$out/probe.c"
"${CC:-gcc}" -fsanitize=address,undefined "$out/probe.c" -o "$out/probe" 2>"$out/make.log" && "$out/probe" ||
	{ echo "the compiler has no sanitizers"; exit 77; }
# -O1: half the time of -O2 to build, and fast enough.
make -s -j2 SAN=1 OPT=-O1 O="$out" "$abyme" $units >"$out/make.log" 2>&1 ||
	{ tail -20 "$out/make.log"; exit 1; }
tests/unit.sh $units >"$out/units.txt" 2>&1 || { failed=1; cat "$out/units.txt"; }
tail -1 "$out/units.txt"

fail() {
	echo "FAILED: $*"
	head -5 "$out/stderr" | sed 's/^/    /'
	failed=$((failed + 1))
}

statuses=" $(sed -n 's/^EXIT_STATUS([A-Z_]*, \([0-9]*\),.*/\1/p' l0/machine/exit_status.def | tr '\n' ' ')"
cases=0

# check WANT LINES WHAT COMMAND...: exit status (`any`: a documented one) and lines on stderr (`any`: at
# most one).
check() {
	want=$1 lines=$2 what=$3
	shift 3
	cases=$((cases + 1))
	timeout 60 "$@" >"$out/stdout" 2>"$out/stderr" </dev/null
	status=$?
	said=$(wc -l <"$out/stderr")
	if grep -q 'Sanitizer\|runtime error' "$out/stderr"; then
		fail "$what: a sanitizer's report"
	elif [ "$want" != any ] && [ $status != "$want" ]; then
		fail "$what: status $status, not $want"
	elif [ $((status % 2)) = 0 ] && [ "${statuses#* $status }" = "$statuses" ]; then
		fail "$what: status $status is not documented"
	elif [ "$lines" != any ] && [ "$said" != "$lines" ] || [ "$said" -gt 1 ]; then
		fail "$what: $said lines on stderr"
	elif [ "$said" = 1 ] && ! grep -q '^abyme' "$out/stderr"; then
		fail "$what: not a line of our own"
	fi
}

run() {
	want=$1 lines=$2 what=$3
	shift 3
	check "$want" "$lines" "$what" "$abyme" run --mem 16M --max-insns 20000 "$@"
}

# number FILE OFFSET SIZE: a little-endian number.
number() {
	od -An -v -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '
}

# damage FILE OFFSET VALUE
damage() {
	printf "\\$(printf %03o "$3")" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# random LIMIT: the next number below LIMIT in $random; the same sequence in every run.
seed=1
random() {
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	random=$((seed / 65536 % $1))
}

# ---- images ----

# hello.elf without what follows its segment. Its multiboot header, first in the segment, has address
# fields (bit 16 of the flags), so loaders don't look at the ELF headers; in elf.elf it has none.
flat=$out/flat.elf
hello=$out/elf.elf
bad=$out/bad.elf
header=$((64 + 56 * $(number "$images/hello.elf" 56 2)))
multiboot=$(number "$images/hello.elf" 72 8)
end=$((multiboot + $(number "$images/hello.elf" 96 8)))
head -c "$end" "$images/hello.elf" >"$flat"
cp "$flat" "$hello"
damage "$hello" $((multiboot + 6)) 0
damage "$hello" $((multiboot + 10)) $(($(number "$flat" $((multiboot + 10)) 1) + 1))

run 66 1 'an image of 0 bytes' /dev/null
for image in "$flat" "$hello"; do
	check 0 0 'the image as it is' "$abyme" run "$image"
	cut=1
	while [ $cut -lt "$end" ]; do
		head -c $cut "$image" >"$bad"
		run 65 1 "$image cut at byte $cut" "$bad"
		[ $cut -lt "$header" ] && cut=$((cut + 1)) || cut=$((cut + (end - header) / 80))
	done
done

cp "$hello" "$bad"
for byte in 107 108 109 110 111; do # of p_memsz
	damage "$bad" $byte 255
	run 65 1 "an image larger than memory, byte $byte" "$bad"
done
cp "$flat" "$bad"
damage "$bad" $((multiboot + 27)) 255 # of bss_end_addr
run 65 1 'a flat image larger than memory' "$bad"
head -c 20M /dev/zero >"$out/large"
run 65 1 'a module larger than memory' --module "$out/large" "$hello"
run 65 1 'an image of zeros' "$out/large"
run 66 1 'a missing image' "$out/missing"
run 66 1 'a missing module' --module "$out/missing" "$hello"
run 66 1 'a directory for an image' "$out"
run 64 1 'an initrd for what is not Linux' --initrd "$hello" "$hello"
run 66 1 'a missing hypervisor' --depth 1 --hv "$out/missing" "$hello"
run 65 1 'a hypervisor that is none' --depth 1 --hv "$out/large" "$hello"
check 64 1 'depth 50 in 64M' "$abyme" run --mem 64M --depth 50 --hv "$images/hv.elf" "$hello"
check 64 1 'depth 1000 in 64M' "$abyme" run --mem 64M --depth 1000 --hv "$images/hv.elf" "$hello"

for mutant in $(seq 300); do
	[ $((mutant % 3)) = 0 ] && cp "$flat" "$bad" || cp "$hello" "$bad"
	random 4
	for change in $(seq $((random + 1))); do
		random 3
		case $random in
		0) random "$header"; at=$random ;;
		1) random 64; at=$((multiboot + random)) ;;
		*) random "$end"; at=$random ;;
		esac
		random 256
		damage "$bad" $at $random
	done
	run any any "mutant $mutant" "$bad"
done

# ---- options ----

# refused ARGUMENT...: a usage error.
refused() {
	check 64 1 "run $*" "$abyme" run "$@"
}
refused
refused --nonsense "$hello"
refused -x "$hello"
refused --m 64M "$hello"
refused --json=1 "$hello"
refused "$hello" "$hello"
for option in mem depth cpu module max-insns trace stats serial; do
	refused "$hello" --$option
done
for cpu in nonsense skylake,-nonsense skylake,nonsense skylake, , -vpid; do
	refused --cpu "$cpu" "$hello"
done
for size in 0 1M -1 7X M 1.5G 300G 99999999999999999999G ''; do
	refused --mem "$size" "$hello"
done
for depth in -1 1001 x 1.5 '' 99999999999999999999; do
	refused --depth "$depth" "$hello"
done
for insns in 0 -1 x 1Q; do
	refused --max-insns "$insns" "$hello"
done
for events in '' x exits, ,exits; do
	refused --watch "$events" "$hello"
done
for port in '' x -1 65536; do
	refused --gdb "$port" "$hello"
done
check 66 1 'symbols of a script' "$abyme" run --symbols "$0" "$hello"
refused --stack a,,b
refused --stack a --depth 1
refused --module :x "$hello"
check 64 1 'a machine that is none' "$abyme" run --machine nonsense "$hello"
check 64 1 'a command that is none' "$abyme" nonsense
check 64 1 'no command' "$abyme"

# ---- trap logs ----

log=$out/good.trace
cut=$out/bad.trace
check 0 0 'a run to trace' "$abyme" run --depth 1 --hv "$images/hv.elf" --trace "$log" \
	"$images/exitbench.elf"
size=$(wc -c <"$log")

# reads WANT LINES WHAT VERB FILE
reads() {
	case $4 in
	diff) check "$1" "$2" "$4, $3" "$abyme" trace diff "$log" "$5" ;;
	json) check "$1" "$2" "$4, $3" "$abyme" trace dump --json "$5" ;;
	check) check "$1" "$2" "$4, $3" "$abyme" trace report --json --check "$5" ;;
	*) check "$1" "$2" "$4, $3" "$abyme" trace "$4" "$5" ;;
	esac
}
verbs='report dump tree marks diff json check'
next=0
# damaged WHAT: the next of the verbs reads $cut.
damaged() {
	what_is_wrong=$1
	set -- $verbs
	shift $((next % $#))
	next=$((next + 1))
	reads any 1 "$what_is_wrong" "$1" "$cut"
	[ $status = 1 ] || [ $status = 65 ] || fail "$1, $what_is_wrong: status $status"
}

for verb in $verbs; do
	reads 0 0 'the whole log' $verb "$log"
	reads 66 1 'no log' $verb "$out/missing"
	reads 65 1 'an image for a log' $verb "$hello"
	: >"$cut"
	reads 65 1 'an empty log' $verb "$cut"
	head -c 32 "$log" >"$cut"
	reads any 1 'a log of a header' $verb "$cut"
done
at=32 blocks=0
while [ $at -lt "$size" ]; do
	head -c $at "$log" >"$cut"
	damaged "cut at block $blocks"
	blocks=$((blocks + 1))
	at=$((at + 32 + 80 * $(number "$log" $((at + 14)) 2)))
done
for i in $(seq 50); do
	random "$size"
	head -c $random "$log" >"$cut"
	damaged "cut at byte $random"
done
for i in $(seq 200); do
	[ $i -le 64 ] && at=$((i - 1)) || { random 32768; at=$(((random * 32768 + seed % 32768) % size)); }
	cp "$log" "$cut"
	random 255
	damage "$cut" $at $((($(number "$log" $at 1) + 1 + random) % 256))
	damaged "byte $at damaged"
done

check 64 1 'no verb' "$abyme" trace
check 64 1 'a verb that is none' "$abyme" trace nonsense "$log"
check 64 1 'an option that is none' "$abyme" trace report --nonsense "$log"
check 64 1 'a number that is none' "$abyme" trace dump --seq x "$log"
check 64 1 'a level that is none' "$abyme" trace dump --level 65535 "$log"
check 65 1 'a record that is none' "$abyme" trace tree --seq 99999999 "$log"

echo "$cases bad inputs, a log of $blocks blocks; $failed wrong"
[ $failed = 0 ]
