#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# one_file_test.sh SOURCE LIBRARY: the commands in the source's first lines make the same library of it, in under 5 seconds
# of CPU time.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
exports() { nm -D --with-symbol-versions "$1" | sed 's/.* //' | sort; }

here=$(dirname "$(realpath "$0")")
cd "$folder"
TIMEFORMAT='%U + %S'
seconds=$( { time "$here/compile_one_file.sh" g++ "$1" "$folder/libcudafault.so"; } 2>&1)
awk "BEGIN { exit !($seconds < 5) }" || { echo "compiling took $seconds s of CPU time"; exit 1; }
diff <(exports libcudafault.so) <(exports "$2")
[[ $(exports libcudafault.so | wc -l) -gt 2000 ]]
if readelf -d libcudafault.so | grep NEEDED; then exit 1; fi
if readelf -V libcudafault.so | grep 'GLIBC_'; then exit 1; fi
LD_PRELOAD=$folder/libcudafault.so /bin/true
