# SPDX-License-Identifier: BSD-2-Clause
# Reads exitbench's lines and the mark intervals of each depth; writes the table for people to
# OUT/table.txt and to stdout, for the plot, one block for each item whose cost
# depends on the depth: its name, then "depth insns cycles exits".

# "key=value key=value ..." into pair[].
function parse(line,    n, i, part, at)
{
	delete pair
	n = split(line, part, " ")
	for (i = 1; i <= n; i++)
		if (at = index(part[i], "="))
			pair[substr(part[i], 1, at - 1)] = substr(part[i], at + 1)
}

# The first of "MIN,MEAN".
function least(value)
{
	sub(/,.*/, "", value)
	return value
}

function read_depth(d,    file, exits)
{
	delete exits
	file = out "/depth" d ".marks"
	while ((getline line < file) > 0) {
		parse(line)
		exits[pair["mark"]] = pair["exits"]
	}
	file = out "/depth" d ".txt"
	while ((getline line < file) > 0) {
		parse(line)
		if (!("cycles" in pair))
			continue
		item = pair["item"]
		if (!(item in seen)) {
			seen[item] = 1
			items[++count] = item
		}
		insns[item, d] = least(pair["insns"])
		cycles[item, d] = least(pair["cycles"])
		hw[item, d] = pair["ops"] > 0 ? sprintf("%.2f", exits[pair["mark"]] / pair["ops"]) : "-"
	}
}

function section(title, values,    i, k)
{
	printf "%-24s", title > table
	for (k = 1; k <= n; k++)
		printf "%14s", "depth " depth[k] > table
	printf "\n" > table
	for (i = 1; i <= count; i++) {
		printf "  %-22s", items[i] > table
		for (k = 1; k <= n; k++)
			printf "%14s", ((items[i], depth[k]) in values) ? values[items[i], depth[k]] : "-" > table
		printf "\n" > table
	}
	printf "\n" > table
}

BEGIN {
	table = out "/table.txt"
	n = split(depths, depth, " ")
	for (k = 1; k <= n; k++)
		read_depth(depth[k])
	section("instructions", insns)
	section("modelled cycles", cycles)
	section("hardware exits", hw)
	for (i = 1; i <= count; i++) {
		if (insns[items[i], depth[1]] == insns[items[i], depth[n]])
			continue # no level sees it: a flat line says nothing
		printf "%s\"%s\"\n", (blocks++ ? "\n\n" : ""), items[i]
		for (k = 1; k <= n; k++)
			print depth[k], insns[items[i], depth[k]], cycles[items[i], depth[k]], hw[items[i], depth[k]]
	}
}
