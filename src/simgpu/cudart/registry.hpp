// SPDX-License-Identifier: Apache-2.0
// Stores the kernels and variables of a program's fat binaries. nvcc generates constructors in every object file that
// register them (PyTorch: 44,000 calls under the loader's lock). A fat binary is loaded into the driver at the first
// use of one of its kernels.
#pragma once

#include "simgpu/cudart/types.hpp"

namespace cudafault::cudart {

// Finds the driver's kernel for a program's function: the address of its host stub, the handle that __cudaGetKernel
// returned, or a kernel of a library.
Error find_kernel(const void* function, Kernel& kernel);

// Finds the name of a registered kernel.
Error find_kernel_name(const void* function, const char*& name);

// Adds a library's kernel, so that find_kernel() accepts it.
void add_library_kernel(Kernel kernel);

// Finds the address and size of a device variable in the current context.
Error find_variable(const void* symbol, void*& address, size_t& bytes);

// Removes the addresses of the variables in a context. Call this function before the context's memory is freed. The
// next use of a variable allocates it again.
void remove_variable_addresses(Context context);

}  // namespace cudafault::cudart
