// SPDX-License-Identifier: Apache-2.0
// Warnings on standard error about cases that simulated GPUs do not support. Each library of a process writes a warning
// at most once.
#pragma once

namespace cudafault::sim {

// Warns if this process belongs to a `cudafault run` but has no LD_PRELOAD: no fault can reach it.
void warn_if_out_of_reach();

// Warns that the program has a statically linked CUDA runtime, which accepts only NVIDIA's driver.
void warn_of_static_runtime();

}  // namespace cudafault::sim
