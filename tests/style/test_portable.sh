#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
exec sh "$(dirname "$0")/portable.sh" "$1/libshadow-free.a"
