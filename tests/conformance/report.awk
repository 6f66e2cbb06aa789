# SPDX-License-Identifier: BSD-2-Clause
# report.awk: the table of a run, held against expected.txt. Variables: depth, place, arch.
# Files: expected.txt, then results (see one.sh), sorted. Exit status: 0 all as expected, 1 something is
# worse, 2 something is better and nothing worse.

# Whether a row's DEPTHS (`*`, `N`, `N+`, `kvm:N`, `kvm:N+`, comma-separated) has this depth at this place.
function covers(depths,    n, list, i, at) {
	n = split(depths, list, ",")
	for (i = 1; i <= n; i++) {
		at = list[i]
		if (at == "*")
			return 1
		if ((at ~ /^kvm:/) != (place == "kvm"))
			continue
		sub(/^kvm:/, "", at)
		if (at == depth || (at ~ /\+$/ && depth >= at + 0))
			return 1
	}
	return 0
}

# `name` or `arch/name`; a trailing * stands for anything.
function is_named(pattern, name) {
	if (pattern ~ /\//) {
		if (substr(pattern, 1, length(arch) + 1) != arch "/")
			return 0
		pattern = substr(pattern, length(arch) + 2)
	}
	if (pattern ~ /\*$/)
		return index(name, substr(pattern, 1, length(pattern) - 1)) == 1
	return pattern == name
}

function reason_of(from,    i, text) {
	for (i = from; i <= NF; i++)
		text = text (i > from ? " " : "") $i
	return text
}

# "as expected", "WORSE: ..." or "better: ...".
function judge(name, verdict, failed, skipped,    row, want, want_failed, want_skipped, i) {
	want = "PASS"; want_failed = want_skipped = 0; row = 0
	for (i = 1; i <= rows && !row; i++)
		if (is_named(pattern[i], name))
			row = i
	if (row) {
		used[row] = 1
		want = verdict_of[row]; want_skipped = skips[row]; because = reason[row]
		if (want ~ /^FAIL:/) {
			want_failed = substr(want, 6); want = "FAIL"
		}
	} else
		because = ""
	if (verdict != want)
		return (verdict == "PASS" ? "better" : "WORSE") ": expected " want
	if (failed != want_failed)
		return (failed < want_failed ? "better" : "WORSE") ": expected " want_failed " to fail"
	if (want_skipped != "*" && verdict != "SKIP" && skipped != want_skipped)
		return (skipped < want_skipped ? "better" : "WORSE") ": expected " want_skipped " skipped"
	return "as expected"
}

BEGIN { FS = "[ \t]+" }
FNR == 1 { part++ }
part == 1 && !/^#/ && NF >= 4 {
	if (!covers($2))
		next
	pattern[++rows] = $1; verdict_of[rows] = $3; skips[rows] = $4; reason[rows] = reason_of(5)
	if (reason[rows] == "") {
		print "expected.txt:" FNR ": " $1 " has no reason"
		status = 1
	}
	next
}
part == 2 {
	if (!header++)
		printf "%-46s %-8s %6s %5s %5s %5s %5s\n", "test", "verdict", "pass", "fail", "skip", "xfail", "s"
	note = judge($1, $2, $4, $5)
	printf "%-46s %-8s %6d %5d %5d %5d %5d", $1, $2, $3, $4, $5, $6, $7
	if (note != "as expected")
		printf "  %s", note
	else if (because != "")
		printf "  (%s)", because
	printf "\n"
	tests++; verdicts[$2]++
	passed += $3; failed += $4; skipped += $5; xfailed += $6; seconds += $7
	worse += note ~ /^WORSE/; better += note ~ /^better/
}
END {
	printf "%sdepth %d, %s: %d tests (", (place == "kvm" ? "Linux/KVM, " : ""), depth, arch, tests
	for (v in verdicts)
		printf "%s %d %s", (n++ ? "," : ""), verdicts[v], v
	printf " ), subtests: %d PASS, %d FAIL, %d SKIP, %d XFAIL; %d worse, %d better than expected; %d s of CPU\n",
		passed, failed, skipped, xfailed, worse, better, seconds
	exit status || worse ? 1 : better ? 2 : 0
}
