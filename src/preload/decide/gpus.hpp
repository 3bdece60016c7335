// SPDX-License-Identifier: Apache-2.0
// Finds the GPU that a call is about, with queries to the real driver and to NVML. Thread-safe; allocates no memory
// itself.
#pragma once

#include "fault/plan.hpp"
#include "preload/surface/frame.hpp"
#include "preload/surface/stubs.hpp"

namespace cudafault {

constexpr int kNoGpu = -1;    // not a single GPU, or unknown
constexpr int kUnasked = -2;  // not determined yet

// Returns the ordinal in the call's device argument, or kNoGpu if the function has no such argument. Calls no other
// function.
int gpu_argument(int row, const Frame& frame);

// Returns true if gpu= of the fault selects the GPU that the call is about, or every GPU that the process sees if the
// call is not about a single GPU. `gpu` is kUnasked at the first fault of a call; the function stores the ordinal there
// for the other faults of the same call.
bool is_about_selected_gpu(const Fault& fault, int row, const Frame& frame, int& gpu);

}  // namespace cudafault
