// SPDX-License-Identifier: Apache-2.0
// Makes two calls to NVIDIA's libcudart, which it is linked with, shared or static.
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
