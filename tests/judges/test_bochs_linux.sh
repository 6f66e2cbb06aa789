#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Stack b of l1/README.md with a machine, too, that nobody here wrote: Bochs > Linux/KVM > hv.elf > a bare L1 handler,
# > l1/tiny > guest, > hv.elf > guest. Same guest results as on the interpreter alone. Needs `make linux`.
set -u
build=$1
images=$build/images
linux=$build/l1/linux
[ -e "$linux/initrd" ] || { echo "no $linux/initrd: run make linux"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# One boot for all; what each prints lies between two lines of its name.
kvm='abyme run --machine kvm' in=bin/images
one() { echo "echo begin=$1; $kvm $2; echo end=$1;"; }
command="$(one linux "--append rounds=1 $in/equiv.elf")
	$(one hv "--depth 1 --append rounds=1 $in/equiv.elf")
	$(one hv_hv "--depth 2 --append rounds=1 $in/equiv.elf")
	$(one hv_tiny "--append rounds=1 --stack $in/hv.elf,$in/tiny.elf,$in/equiv.elf")
	$(one hv_bare "--depth 1 --append iters=20 $in/roundtrip.elf")
	$(one hv_tiny_bench "--append awake --stack $in/hv.elf,$in/tiny.elf,$in/exitbench.elf")"
command=$(echo "$command" | tr -d '\n\t')
# -i, mitigations=off: tests/judges/test_linux_kvm.sh.
tests/bochs/run.sh -i -m 512 -t 1800 \
	"$linux/bzImage console=ttyS0 panic=-1 mitigations=off quiet loglevel=3 run=\"$command\"" "$linux/initrd" >"$work/raw"
status=$?
[ $status != 77 ] || { echo "Bochs or grub-mkrescue is missing: run .ci/setup judges"; exit 77; }
tr -d '\r' <"$work/raw" >"$work/said"
[ $status = 0 ] || { echo "Bochs did not power off"; tail -5 "$work/said"; failed=1; }

# same NAME OPTION...: the guest's results beneath NAME, and on the interpreter; of measured lines the names only.
same() {
	name=$1
	shift
	expect=$("$build/abyme" run "$@" 2>&1 | sed 's/ .*//')
	got=$(sed -n "/^begin=$name\$/,/^end=$name\$/p" "$work/said" | grep -v '^begin=\|^end=' | sed 's/ .*//')
	if [ -n "$got" ] && [ "$got" = "$expect" ]; then
		echo "$name: $(echo "$got" | wc -l) lines as on the interpreter: $(echo "$got" | head -1) ..."
	else
		echo "$name: Bochs says:" "$got"
		echo "$name: the interpreter:" "$expect"
		failed=1
	fi
}

for name in linux hv hv_hv hv_tiny; do
	same $name --append rounds=1 "$images/equiv.elf"
done
same hv_bare --append iters=20 "$images/roundtrip.elf"
same hv_tiny_bench --append awake --stack "$images/tiny.elf,$images/exitbench.elf"
exit $failed
