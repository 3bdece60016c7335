#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Usage: freestanding_test.sh LIBRARY. Fails if the library needs any symbol except the few functions that compilers call
# implicitly, or if it contains code that runs before main.
set -eu
library=$1
nm "$library" | awk 'NF == 3 { print $3 }' | sort -u >"$library.defined"
foreign=$(nm -u "$library" | awk '$1 == "U" { print $2 }' | sort -u | comm -23 - "$library.defined" |
    grep -vxE 'memcpy|memmove|memset|memcmp|strlen|_GLOBAL_OFFSET_TABLE_|__stack_chk_fail' || true)
rm "$library.defined"
if [ -n "$foreign" ]; then
    echo "$library is not freestanding; it needs $(echo "$foreign" | tr '\n' ' ')"
    exit 1
fi
if readelf -SW "$library" | grep -E '\.(init_array|ctors)'; then
    echo "$library has static initializers"
    exit 1
fi
