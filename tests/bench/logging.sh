#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# logging.sh BUILD: what a trap log costs: the same run at depth 2 with and without --trace, in turns, on a
# guest that computes (equiv) and on one that does nothing but exit (exitbench). CPU time for the host's
# side, modelled cycles for what the guest's own time notices. LOG_REPETITIONS (default 5).
set -eu
build=$1
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

# once NAME IMAGE ARGUMENTS OPTION...: remembers its CPU time as NAME, its cycles as NAME.cycles.
once() {
	local name=$1 image=$2 arguments=$3 took
	shift 3
	took=$(seconds "$abyme" run --depth 2 --stats "$out/stats.json" --append "$arguments" "$@" "$image")
	keep "$name" "$took"
	keep "$name.cycles" "$(stat cycles)"
}

forget
echo 'logging at depth 2, median CPU seconds (spread in percent):'
printf '%-10s %12s %12s %8s %14s %10s\n' guest plain logged ratio 'virtual time' 'log, MiB'
while read -r guest arguments; do
	for ((i = 0; i < ${LOG_REPETITIONS:-5}; i++)); do
		once "$guest.plain" "$images/$guest.elf" "$arguments"
		once "$guest.logged" "$images/$guest.elf" "$arguments" --trace "$out/bench.trace"
	done
	printf '%-10s %12s %12s %8s %14s %10s\n' "$guest" "$(median "$guest.plain") ($(spread "$guest.plain"))" \
		"$(median "$guest.logged") ($(spread "$guest.logged"))" \
		"$(ratio "$(median "$guest.logged")" "$(median "$guest.plain")")" \
		"$(ratio "$(median "$guest.logged.cycles")" "$(median "$guest.plain.cycles")" 3)" \
		"$(ratio "$(wc -c <"$out/bench.trace")" 1048576 1)"
done <<END
equiv rounds=300
exitbench iters=40000
END
rm -f "$out/bench.trace"
