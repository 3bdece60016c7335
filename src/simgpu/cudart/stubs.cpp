// SPDX-License-Identifier: Apache-2.0
// A weak stub for every function of this SONAME; a function that is written by hand replaces its stub.
#include "simgpu/cudart/runtime.hpp"

namespace cudafault::cudart {

// Functions of their own, not one under many names: a program may tell them apart by address.
#define CUDART_STUB(name) \
    CUDART_API __attribute__((weak, noinline)) Error name() { return record(kNotSupported); }
#include CUDART_STUBS
#undef CUDART_STUB

}  // namespace cudafault::cudart
