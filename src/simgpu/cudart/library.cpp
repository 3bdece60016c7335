// SPDX-License-Identifier: Apache-2.0
// Implements libraries of kernels that a program loads at run time.
#include "simgpu/cudart/registry.hpp"
#include "simgpu/cudart/runtime.hpp"

namespace cudafault::cudart {

CUDART_API Error cudaLibraryLoadData(Library* library, const void* code, int* jit_options, void** jit_values,
                                     unsigned jit_count, int* options, void** values, unsigned count) {
    return in_context(&Driver::cuLibraryLoadData, library, code, jit_options, jit_values, jit_count, options, values,
                      count);
}

CUDART_API Error cudaLibraryLoadFromFile(Library* library, const char* file, int* jit_options, void** jit_values,
                                         unsigned jit_count, int* options, void** values, unsigned count) {
    return in_context(&Driver::cuLibraryLoadFromFile, library, file, jit_options, jit_values, jit_count, options,
                      values, count);
}

CUDART_API Error cudaLibraryUnload(Library library) { return in_context(&Driver::cuLibraryUnload, library); }

CUDART_API Error cudaLibraryGetKernel(Kernel* kernel, Library library, const char* name) {
    const Error error = in_context(&Driver::cuLibraryGetKernel, kernel, library, name);
    if (!error) add_library_kernel(*kernel);
    return error;
}

CUDART_API Error cudaLibraryGetKernelCount(unsigned* count, Library library) {
    return in_context(&Driver::cuLibraryGetKernelCount, count, library);
}

CUDART_API Error cudaLibraryEnumerateKernels(Kernel* kernels, unsigned count, Library library) {
    const Error error = in_context(&Driver::cuLibraryEnumerateKernels, kernels, count, library);
    for (unsigned i = 0; !error && i < count; ++i) add_library_kernel(kernels[i]);
    return error;
}

CUDART_API Error cudaLibraryGetGlobal(void** pointer, size_t* bytes, Library library, const char* name) {
    return in_context(&Driver::cuLibraryGetGlobal, pointer, bytes, library, name);
}

CUDART_API Error cudaLibraryGetManaged(void** pointer, size_t* bytes, Library library, const char* name) {
    return in_context(&Driver::cuLibraryGetManaged, pointer, bytes, library, name);
}

CUDART_API Error cudaLibraryGetUnifiedFunction(void** function, Library library, const char* symbol) {
    return in_context(&Driver::cuLibraryGetUnifiedFunction, function, library, symbol);
}

}  // namespace cudafault::cudart
