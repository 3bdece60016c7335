// SPDX-License-Identifier: Apache-2.0
// Declares warnings about cases that simulated GPUs do not support. Each library of a process writes each warning to
// standard error at most once.
#pragma once

namespace cudafault::sim {

// Warns if `cudafault run` has started this process or one of its ancestors, but the process has not loaded the fault
// library, so that faults cannot be injected.
void warn_if_not_preloaded();

// Warns that the program has a statically linked CUDA runtime, which accepts only NVIDIA's driver.
void warn_about_static_runtime();

}  // namespace cudafault::sim
