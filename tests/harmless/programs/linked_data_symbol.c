// SPDX-License-Identifier: Apache-2.0
// Linked with the library of data_symbol.c, which fills in its pointer.
#include <stdio.h>

int fill_in(void);

int main(void) {
    printf("cuInit of the library %d\n", fill_in());
    return 0;
}
