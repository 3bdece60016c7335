// SPDX-License-Identifier: Apache-2.0
// Links with the library of data_symbol.c, whose function sets the pointer cuInit.
#include <stdio.h>

int set_pointer(void);

int main(void) {
    printf("cuInit of the library %d\n", set_pointer());
    return 0;
}
