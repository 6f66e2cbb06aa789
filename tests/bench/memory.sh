#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memory.sh BUILD: host memory by depth: the peak resident set of a run of equiv, and guest memory as
# configured. Host memory is taken as the guest touches its own.
set -eu
build=$1
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

echo 'peak resident memory of equiv by depth, MiB:'
for depth in 0 1 2 3 4 5; do
	seconds "$abyme" run --depth $depth --stats "$out/stats.json" "$images/equiv.elf" >/dev/null
	printf ' depth %d: %s' $depth "$(ratio "$(stat peak_rss_kib)" 1024 1)"
done
printf '  (of %s MiB of guest memory)\n' "$(ratio "$(stat memory)" 1048576 0)"
