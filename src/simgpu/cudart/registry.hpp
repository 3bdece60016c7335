// SPDX-License-Identifier: Apache-2.0
// What a program's fat binaries hold: kernels and variables, registered by constructors that nvcc writes into every
// object file (PyTorch: 44,000 calls under the loader's lock), loaded into the driver at the first use of a kernel.
#pragma once

#include "simgpu/cudart/types.hpp"

namespace cudafault::cudart {

// The driver's kernel for what a program calls a function: the address of its host stub, the handle that
// __cudaGetKernel gave out, or a kernel of a library.
Error find_kernel(const void* function, Kernel& kernel);

// Name of a registered kernel.
Error find_kernel_name(const void* function, const char*& name);

// Makes a library's kernel acceptable to find_kernel.
void remember_kernel(Kernel kernel);

// Address and size of a device variable in the current context.
Error find_variable(const void* symbol, void*& address, size_t& bytes);

// The context is about to lose its memory: its variables are created again at their next use.
void forget_variables(Context context);

}  // namespace cudafault::cudart
