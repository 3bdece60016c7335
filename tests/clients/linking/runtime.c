// SPDX-License-Identifier: Apache-2.0
// Performs the operations of work.h through a shared libcudart that the program is linked with. With -DBY_DLVSYM the
// program looks the functions up with dlvsym instead; its arguments are the library and the symbol version.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef int Status;
enum { host_to_device = 1, device_to_host = 2 };

#define RUNTIME_FUNCTIONS(_)                         \
    _(cudaMalloc, (void**, size_t))                  \
    _(cudaMemcpy, (void*, const void*, size_t, int)) \
    _(cudaFree, (void*))                             \
    _(cudaGetLastError, (void))

#ifdef BY_DLVSYM
#define DECLARE(name, parameters) static Status(*name) parameters;
#else
#define DECLARE(name, parameters) Status name parameters;
#endif
RUNTIME_FUNCTIONS(DECLARE)

static int work(void) {
    void* memory;
    Status status = cudaMalloc(&memory, 4096);
    printf("allocation %d\n", status);
    printf("last error %d\n", cudaGetLastError());
    if (status != 0) return 1;
    char sent[64] = "the data is intact", received[64] = "";
    status = cudaMemcpy(memory, sent, sizeof sent, host_to_device);
    status = status ? status : cudaMemcpy(received, memory, sizeof received, device_to_host);
    status = status ? status : cudaFree(memory);
    printf("received \"%s\", %d\n", received, status);
    return status != 0 || strcmp(sent, received) != 0;
}

#ifdef BY_DLVSYM
int main(int argc, char** argv) {
    void* library = argc == 3 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
#define TAKE(name, parameters)                                              \
    if (!library || !(*(void**)& name = dlvsym(library, #name, argv[2]))) { \
        printf("%s\n", dlerror());                                          \
        return 1;                                                           \
    }
    RUNTIME_FUNCTIONS(TAKE)
    return work();
}
#else
int main(void) { return work(); }
#endif
