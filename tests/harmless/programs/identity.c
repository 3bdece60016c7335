// SPDX-License-Identifier: Apache-2.0
// Prints whether the real user is root, whether the effective user is root, and the value of AT_SECURE.
#include <stdio.h>
#include <sys/auxv.h>
#include <unistd.h>

int main(void) {
    printf("%d %d %lu\n", getuid() == 0, geteuid() == 0, getauxval(AT_SECURE));
    return 0;
}
