// SPDX-License-Identifier: Apache-2.0
// Links to NVIDIA's shared or static libcudart and calls two of its functions.
#include <stddef.h>
#include <stdio.h>

int cudaGetDeviceCount(int* count);
int cudaMalloc(void** memory, size_t size);

int main(void) {
    int count = -1;
    void* memory;
    printf("cudaGetDeviceCount %d\n", cudaGetDeviceCount(&count));
    printf("cudaMalloc %d\n", cudaMalloc(&memory, 4096));
    return 0;
}
