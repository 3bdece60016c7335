// SPDX-License-Identifier: Apache-2.0
// Copies by direction, shared by plain copies and copies of device variables.
#pragma once

#include "simgpu/cudart/types.hpp"

namespace cudafault::cudart {

Error copy(void* target, const void* source, size_t bytes, CopyKind kind);
Error copy_async(void* target, const void* source, size_t bytes, CopyKind kind, Stream stream);

// The driver's form of a three-dimensional copy; arrays are not simulated.
Error translate(const RuntimeCopy3D& copy, DriverCopy3D& result);

}  // namespace cudafault::cudart
