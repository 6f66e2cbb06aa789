#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# one.sh JOB: runs one line of list.awk's and appends its result to $OUT/results, fields separated by tabs:
#   name  verdict  passed  failed  skipped  expected failures  seconds
# Environment: KUT, ABYME, OUT, DEPTH, PLACE, LINUX, SCALE, MACHINE.
set -u
tab=$(printf '\t')
IFS=$tab read -r name file args mem cpu seconds arch environment device <<JOB
$1
JOB
log=$OUT/$(printf %s "$name" | tr '/:' '__').log
env=$log.env
[ "$args" != - ] || args=
[ "$device" != - ] || device=
limit=$((${seconds%s} * SCALE * (DEPTH + 1)))
[ "$PLACE" = bare ] || limit=$((limit * 2))

# Beneath the test each hypervisor keeps a sixteenth of the memory, 64 MiB at most.
total=$((mem + DEPTH * (mem / 8 < 64 ? mem / 8 + 2 : 64)))
[ "$environment" != - ] || environment=TEST_DEVICE=1
printf 'NR_CPUS=1\nMEMSIZE=%s\n%s\n' "$mem" "$environment" >"$env"

options="--depth $DEPTH --device testdev ${device:+--device $device}"

# machine MIB OPTION...: a run of the machine in the time there is.
machine() {
	mebibytes=$1
	shift
	timeout -k 10 "$((limit * 20))" "$ABYME" run --machine "${MACHINE:-interp}" --cpu "$cpu" --mem "${mebibytes}M" "$@"
}

# Linux boots with the test in its initial RAM disk, and `abyme` is started in it: init tells how that ended.
inside_linux() {
	cat >"$log.run" <<RUN
#!/bin/sh
exec abyme run --machine kvm $options --mem ${total}M --module /kut/env --append '$args' /kut/image
RUN
	"$LINUX/mkinitrd" "$log.initrd" kut/env="$env" kut/image="$KUT/x86/$file" kut/run="$log.run" || return 1
	cat "$LINUX/initrd" "$log.initrd" >"$log.both"
	machine $((total + 256)) --initrd "$log.both" --append \
		'console=ttyS0 quiet panic=-1 mitigations=off run=/kut/run' "$LINUX/bzImage" >"$log.console"
	status=$?
	tr -d '\r' <"$log.console"
	[ $status != 0 ] || status=$(tr -d '\r' <"$log.console" | sed -n 's/^init: status //p')
	rm -f "$log.run" "$log.initrd" "$log.both" "$log.console"
	return "${status:-0}"
}

# Time of the CPU counts, however busy the host is; a test that sleeps ends, too.
ulimit -t "$limit"
start=$(date +%s)
# shellcheck disable=SC2086 # words they are
if [ "$PLACE" = bare ]; then
	machine "${total}" $options --module "$env" --append "$args" "$KUT/x86/$file" >"$log" 2>&1 </dev/null
	status=$?
else
	inside_linux >"$log" 2>&1 </dev/null
	status=$?
fi
seconds=$(($(date +%s) - start))
rm -f "$env"

count() { grep -c "^$1:" "$log"; }
failed=$(count FAIL) surprises=$(count XPASS)
# The suite leaves through the exit port: v there gives (v << 1) | 1. All of it skipped is 77, abort() 127.
case $status in
1) verdict=PASS ;;
3) verdict=FAIL ;;
77) verdict=SKIP ;;
127) verdict=ABORT ;;
124 | 137 | 152) verdict=TIMEOUT ;;
*) verdict=END$status ;;
esac
[ "$verdict" != PASS ] || [ "$failed" = 0 ] || verdict=FAIL
[ "$verdict" != FAIL ] || [ "$failed" != 0 ] || [ "$surprises" = 0 ] || verdict=XPASS
printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "$verdict" "$(($(count PASS) + surprises))" "$failed" \
	"$(count SKIP)" "$(($(count XFAIL) + $(count KFAIL)))" "$seconds" >>"$OUT/results"
[ ! -t 2 ] || printf '\r%s: %s\033[K' "$name" "$verdict" >&2
