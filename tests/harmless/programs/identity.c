// SPDX-License-Identifier: Apache-2.0
// Who runs this; for the setuid test.
#include <stdio.h>
#include <sys/auxv.h>
#include <unistd.h>

int main(void) {
    printf("%d %d %lu\n", getuid() == 0, geteuid() == 0, getauxval(AT_SECURE));
    return 0;
}
