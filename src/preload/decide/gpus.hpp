// SPDX-License-Identifier: Apache-2.0
// Finds the GPU of a call by querying the real driver and NVML. Thread-safe; allocates no memory itself.
#pragma once

#include "fault/plan.hpp"
#include "preload/surface/frame.hpp"
#include "preload/surface/stubs.hpp"

namespace cudafault {

constexpr int kNoGpu = -1;         // no single GPU, or unknown
constexpr int kUndetermined = -2;  // not determined yet

// Returns the ordinal in the call's device argument, or kNoGpu if the function has no such argument. Calls no other
// function.
int gpu_argument(int row, const Frame& frame);

// Returns true if gpu= of the fault selects the GPU of the call, or every GPU that is visible to the process if the
// call does not concern a single GPU. `gpu` is kUndetermined at the first fault of a call; the function stores the
// ordinal there for the other faults of the same call.
bool is_on_selected_gpu(const Fault& fault, int row, const Frame& frame, int& gpu);

}  // namespace cudafault
