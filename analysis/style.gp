# SPDX-License-Identifier: BSD-2-Clause
# The look of every figure: one font, no box, light grid, colours that survive printing in grey.
if (form eq "svg") set terminal svg size 900,560 font "Helvetica,13" background "white"
if (form eq "png") set terminal pngcairo size 900,560 font "Helvetica,11"
set border 3 lw 1
set tics nomirror out
set grid y lc rgb "#dddddd" lw 1
set style line 1 lc rgb "#0b5394" pt 7 lw 2
set style line 2 lc rgb "#cc4125" pt 5 lw 2
set style line 3 lc rgb "#38761d" pt 9 lw 2
set style line 4 lc rgb "#b45f06" pt 11 lw 2
set style line 5 lc rgb "#674ea7" pt 13 lw 2
set style line 6 lc rgb "#444444" pt 6 lw 2
set style line 7 lc rgb "#76a5af" pt 4 lw 2
set style line 8 lc rgb "#d5a6bd" pt 8 lw 2
set style line 9 lc rgb "#93c47d" pt 10 lw 2
set style line 10 lc rgb "#f1c232" pt 12 lw 2
set style line 11 lc rgb "#6fa8dc" pt 1 lw 2
set style line 12 lc rgb "#a61c00" pt 2 lw 2
set style line 13 lc rgb "#20124d" pt 3 lw 2
set style increment user
