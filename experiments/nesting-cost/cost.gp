# SPDX-License-Identifier: BSD-2-Clause
# Cost of one operation by depth. Variables: form (svg or png), data, target.
load "analysis/style.gp"
set output target
set title "Cost of a guest operation that traps, over N hypervisors (interpreter: exact counts)"
set xlabel "hypervisors under the guest"
set ylabel "retired instructions per operation"
set logscale y
set format y "10^{%L}"
set xtics 1
set xrange [-0.1:*]
set key outside right
stats data using 1:2 nooutput
plot for [i = 0:STATS_blocks - 1] data index i using 1:2 with linespoints title columnheader(1) noenhanced
