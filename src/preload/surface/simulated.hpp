// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cudafault {

// Returns the path of the simulated library that replaces `file` under `cudafault run --gpus sim:N`, or nullptr to open
// `file` itself. Libcuda, NVML and libcudart are replaced, whether given with a path or without: a program may have
// replaced LD_LIBRARY_PATH. The result is valid until the process ends. Thread-safe.
const char* simulated_library(const char* file);

}  // namespace cudafault
