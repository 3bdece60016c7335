// SPDX-License-Identifier: Apache-2.0
// Loads, calls and unloads a plugin three times, without CUDA. The plugin is linked to libcuda.
// Usage: plugin_rounds PLUGIN
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static int find_driver(struct dl_phdr_info* info, size_t size, void* address) {
    (void)size;
    if (!strstr(info->dlpi_name, "/libcuda.so.1")) return 0;
    *(void**)address = (void*)info->dlpi_addr;
    return 1;
}

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    void* previous_address = NULL;
    for (int round = 1; round <= 3; ++round) {
        void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL), *address = NULL;
        int (*plugin)(void) = NULL;
        if (library) *(void**)&plugin = dlsym(library, "plugin");
        if (!plugin) return printf("%s\n", dlerror());
        dl_iterate_phdr(find_driver, &address);
        if (!address || address == previous_address)
            return printf("the driver is not loaded, or is loaded at the same address\n");
        printf("round %d: %d\n", round, plugin());
        dlclose(library);
        printf("the driver is %s\n", dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD) ? "still loaded" : "unloaded");
        // Forces the dynamic linker to load the driver at another address.
        mmap(address, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        previous_address = address;
    }
    return 0;
}
