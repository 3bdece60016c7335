// SPDX-License-Identifier: Apache-2.0
// Calls functions whose arguments name a simulated GPU, and prints the code of each on its own line:
//   gpu_arguments CURRENT GPU NAME KIND SLOT SLOT [NAME KIND SLOT SLOT]...
// The context of ordinal CURRENT is current. KIND is the kind of the device column. The argument in the first SLOT
// names the GPU with the ordinal GPU in that form. For a copy, this argument is device memory, and the argument in the
// second SLOT is host memory that was allocated in CURRENT; for other kinds, both slots are the same. All other
// arguments are 0. If GPU is negative, the argument names no GPU: the memory or the location is that of the host. With
// KIND null, the argument is a null pointer.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int Status;

Status cuInit(unsigned);
Status cuDevicePrimaryCtxRetain(void**, int);
Status cuCtxSetCurrent(void*);
Status cuMemAlloc_v2(uint64_t*, size_t);
Status cuMemAllocHost_v2(void**, size_t);

enum { location_device = 1, location_host = 2, slots = 8 };

struct Location {
    int type, id;
};
static struct {
    int type, handle_types;
    struct Location location;
    char reserved[128];
} properties;
static uint64_t device_memory, host_memory;
static void* contexts[2];

static void set_up(int current, int gpu) {
    cuInit(0);
    for (int i = 0; i < 2; ++i) cuDevicePrimaryCtxRetain(&contexts[i], i);
    cuCtxSetCurrent(contexts[gpu < 0 ? current : gpu]);
    cuMemAlloc_v2(&device_memory, 64);
    cuCtxSetCurrent(contexts[current]);
    void* host = NULL;
    cuMemAllocHost_v2(&host, 64);
    host_memory = (uint64_t)(uintptr_t)host;
    properties.location = (struct Location){gpu < 0 ? location_host : location_device, gpu < 0 ? !current : gpu};
}

static uint64_t value_of(const char* kind, int gpu) {
    const uint64_t location = (uint64_t)(uintptr_t)&properties.location;
    if (!strcmp(kind, "properties")) return (uint64_t)(uintptr_t)&properties;
    if (!strcmp(kind, "location")) return location;
    if (!strcmp(kind, "location_value")) return *(const uint64_t*)(uintptr_t)location;
    if (!strcmp(kind, "null")) return 0;
    return gpu < 0 ? host_memory : device_memory;
}

// Finds the function of the driver or of the newest libcudart that has it.
static void* find(const char* name) {
    static const char* const libraries[] = {"libcuda.so.1", "libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0"};
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; ++i) {
        void* library = dlopen(libraries[i], RTLD_NOW);
        void* function = library ? dlsym(library, name) : NULL;
        if (function) return function;
    }
    return NULL;
}

int main(int count, char** words) {
    const int current = atoi(words[1]), gpu = atoi(words[2]);
    set_up(current, gpu);
    for (char** word = words + 3; word + 4 <= words + count; word += 4) {
        uint64_t a[slots] = {0};
        const int first = atoi(word[2]), second = atoi(word[3]);
        a[second] = host_memory;
        a[first] = value_of(word[1], gpu);
        Status (*function)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
        *(void**)&function = find(word[0]);
        printf("%d\n", function ? function(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]) : -1);
        fflush(stdout);
    }
    return 0;
}
