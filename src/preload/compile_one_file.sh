#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Usage: compile_one_file.sh COMPILER SOURCE OUTPUT
# Runs the build commands in the first lines of SOURCE, with COMPILER as the compiler and OUTPUT as the output file.
set -eu
compiler=$1 source=$2 output=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
case $("$compiler" -dumpmachine) in aarch64*) compiler="$compiler -mno-outline-atomics -Wl,-z,norelro" ;; esac
sed -n 's|^//   ||p' "$source" | head -n 4 |
    sed "s|THIS_FILE|$source|; s|libcudafault.so|$output|; s|cudafault.map|$folder/&|; s|^g++|$compiler|" >"$folder/commands"
sh -eu "$folder/commands"
