# SPDX-License-Identifier: BSD-2-Clause
# list.awk: the jobs that a suite's unittests.cfg describes, one line each, fields separated by tabs:
#   name  file  arguments  MiB  --cpu  seconds  architecture  environment  device
# First reads machine.txt (what the suite's QEMU words mean here), then the vmx_tests table of the suite's C
# source (each name becomes a job vmx:NAME), then unittests.cfg.

function trim(s) { gsub(/^[ \t"']+|[ \t"']+$/, "", s); return s }

# The value after `option` in QEMU's words, or "".
function option_of(params, option,    n, words, i) {
	n = split(params, words, " ")
	for (i = 1; i < n; i++)
		if (words[i] == option)
			return words[i + 1]
	return ""
}

function mebibytes(size) {
	if (size ~ /[gG]$/)
		return 1024 * size
	return size ? size + 0 : 128
}

# QEMU's -cpu MODEL,FEATURE... in the words of --cpu.
function cpu_of(text, job, file,    n, words, i, result) {
	n = split(text, words, ",")
	result = words[1] in meaning ? meaning[words[1]] : meaning["*"]
	if (job in profile)
		result = profile[job]
	else if (file in profile)
		result = profile[file]
	for (i = 2; i <= n; i++)
		if (words[i] in meaning)
			result = result "," meaning[words[i]]
	return result
}

function emit(job, file, args, params, groups, arch, seconds) {
	print job "\t" file "\t" (args == "" ? "-" : args) "\t" mebibytes(option_of(params, "-m")) "\t" \
		cpu_of(option_of(params, "-cpu"), job, file) "\t" (seconds ? seconds : 90) "\t" \
		(arch ? arch : "-") "\t" (job in environment ? environment[job] : \
		file in environment ? environment[file] : "-") "\t" (file in device ? device[file] : "-")
}

function finish_section() {
	if (section != "")
		emit(section, value["file"], value["test_args"] value["extra_params_append"],
		     value["qemu_params"] " " value["extra_params"], value["groups"], value["arch"],
		     value["timeout"])
	section = ""
	delete value
}

function vmx_name(name,    mem) {
	name = trim(name)
	gsub(/ /, "_", name)
	mem = name ~ /^ept_access/ ? "-m 2560" : "-m 512"
	emit("vmx:" name, "vmx.flat", name, mem, "", "x86_64", 180)
}

FNR == 1 { part = FILENAME ~ /\.cfg$/ ? "cfg" : FILENAME ~ /\.c$/ ? "c" : "machine" }

part == "machine" && $1 == "cpu" { meaning[$2] = $3 }
part == "machine" && $1 == "device" { device[$2] = $3 }
part == "machine" && $1 == "profile" { profile[$2] = $3 }
part == "machine" && $1 == "environment" { environment[$2] = $3 }

part == "c" && /^struct vmx_test vmx_tests/ { table = 1; next }
part == "c" && table && /^};/ { table = 0 }
part == "c" && table && /TEST\(/ { sub(/.*TEST\(/, ""); sub(/\).*/, ""); vmx_name($0) }
part == "c" && table && /\{ *"/ { sub(/[^"]*"/, ""); sub(/".*/, ""); vmx_name($0) }
# Those that run before the table, in VMX root operation.
part == "c" && /test_wanted\("/ { sub(/[^"]*"/, ""); sub(/".*/, ""); vmx_name($0) }

part == "cfg" && /^\[/ { finish_section(); section = $0; gsub(/[][ \t\r]/, "", section) }
part == "cfg" && /^[a-z_]+ *=/ {
	key = $0
	sub(/ *=.*/, "", key)
	sub(/^[a-z_]+ *= */, "")
	value[key] = trim($0)
}
END { finish_section() }
