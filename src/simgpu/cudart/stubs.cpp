// SPDX-License-Identifier: Apache-2.0
// Defines weak stubs for all functions of this soname. A handwritten function replaces its stub.
#include "simgpu/cudart/runtime.hpp"

namespace cudafault::cudart {

// Each stub is a separate function, because a program may compare the addresses of functions.
#define CUDART_STUB(name) \
    CUDART_API __attribute__((weak, noinline)) Error name() { return record(kNotSupported); }
#include CUDART_STUBS
#undef CUDART_STUB

}  // namespace cudafault::cudart
