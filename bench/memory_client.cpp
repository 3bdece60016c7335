// SPDX-License-Identifier: Apache-2.0
// Prints "ready" and waits for the end of its input, so that bench/run can measure its memory. With the argument
// `cuda`, the program first uses a GPU through a shared libcudart, which looks up hundreds of driver functions. With
// `idle`, the program does not use CUDA.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

template <typename... Arguments>
void call(void* library, const char* name, Arguments... arguments) {
    auto* function = reinterpret_cast<int (*)(Arguments...)>(dlsym(library, name));
    const int result = function ? function(arguments...) : -1;
    if (result == 0) return;
    std::fprintf(stderr, "memory_client: %s returned %d\n", name, result);
    std::exit(1);
}

void use_gpu() {
    void* runtime = dlopen("libcudart.so.12", RTLD_NOW);
    if (!runtime) {
        std::fprintf(stderr, "memory_client: %s\n", dlerror());
        std::exit(1);
    }
    void* memory = nullptr;
    call(runtime, "cudaMalloc", &memory, size_t{1} << 20);
    call(runtime, "cudaMemset", memory, 0, size_t{1} << 20);
    call(runtime, "cudaDeviceSynchronize");
    call(runtime, "cudaFree", memory);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::string(argv[1]) == "cuda") use_gpu();
    std::puts("ready");
    std::fflush(stdout);
    char byte = 0;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
}
