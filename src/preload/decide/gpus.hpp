// SPDX-License-Identifier: Apache-2.0
// Which GPU a call is about, asked of the real driver by functions that change nothing.
#pragma once

#include "fault/plan.hpp"
#include "preload/surface/frame.hpp"
#include "preload/surface/stubs.hpp"

namespace cudafault {

constexpr int kNoGpu = -1;  // no single one, or unknown
constexpr int kUnasked = -2;

// What a call's device argument says, where it has one; asks nobody.
int gpu_argument(int row, const Frame& frame);

// Whether gpu= of a fault means the GPU that the call is about; where it is about no single one, whether it means each
// that the process sees. `gpu` is that GPU's ordinal, asked for once however many faults want to know.
bool is_about_selected_gpu(const Fault& fault, int row, const Frame& frame, int& gpu);

}  // namespace cudafault
