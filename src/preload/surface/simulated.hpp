// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cudafault {

// Returns the path of the simulated library that replaces `file` under `cudafault run --gpus sim:N`, or nullptr to open
// `file` itself. Only libcuda, NVML and libcudart given with a path are replaced, because the dynamic linker finds the
// simulated library for a name without a path. The result is valid until the process ends. Thread-safe.
const char* simulated_library(const char* file);

}  // namespace cudafault
