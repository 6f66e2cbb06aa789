#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
exec sh "$(dirname "$0")/headers.sh"
