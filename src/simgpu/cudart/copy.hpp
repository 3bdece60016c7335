// SPDX-License-Identifier: Apache-2.0
// Declares copies with a direction (cudaMemcpyKind), for memory and for device variables.
#pragma once

#include "simgpu/cudart/types.hpp"

namespace cudafault::cudart {

Error copy(void* target, const void* source, size_t bytes, CopyKind kind);
Error copy_async(void* target, const void* source, size_t bytes, CopyKind kind, Stream stream);

// Converts a three-dimensional copy to the driver's structure. Arrays are not simulated.
Error translate(const RuntimeCopy3D& copy, DriverCopy3D& result);

}  // namespace cudafault::cudart
