// SPDX-License-Identifier: Apache-2.0
// Lines on standard error, each at most once in a process and library, about what simulated GPUs cannot do here.
#pragma once

namespace cudafault::sim {

// A process of a `cudafault run` that has lost LD_PRELOAD sees healthy GPUs whatever is armed.
void warn_if_out_of_reach();

// A statically linked CUDA runtime accepts NVIDIA's driver only.
void warn_of_static_runtime();

}  // namespace cudafault::sim
