#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Usage: baseline_test.sh LIBRARY. Checks that every program that can load the fault library can also load this
# simulated library: it may need only libdl.so.2, unversioned symbols, and functions that both glibc 2.17 and musl
# export.
set -eu
library=$1
allowed="__dso_handle __errno_location __tls_get_addr abort access clock_gettime close dlopen dlsym environ fclose fcntl fopen
fprintf fputc fputs free ftruncate fwrite getenv getpid ioctl madvise malloc memchr memcmp memcpy memmove memset mmap mprotect
munmap nanosleep open pthread_mutex_lock pthread_mutex_unlock read readlink sched_getaffinity snprintf stderr strcmp
strlen strncmp strstr sysconf syscall usleep"
one_line() { echo "$1" | tr '\n' ' '; }
fail() {
    echo "$library $*"
    exit 1
}
needed=$(readelf -dW "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vx 'libdl.so.2' || true)
[ -z "$needed" ] || fail "needs the libraries $(one_line "$needed")"
versions=$(readelf -VW "$library" | grep -o 'GLIBC_[0-9.]*' | sort -u || true)
[ -z "$versions" ] || fail "needs the glibc versions $(one_line "$versions")"
undefined=$(nm -D --undefined-only "$library" | awk '$1 == "U" { print $2 }')
for name in $undefined; do
    case " $(one_line "$allowed") " in
    *" $name "*) ;;
    *) foreign="${foreign:-} $name" ;;
    esac
done
[ -z "${foreign:-}" ] || fail "needs the functions$foreign"
