// SPDX-License-Identifier: Apache-2.0
// Which GPU a call is about, asked of the real driver by functions that change nothing.
#pragma once

#include "fault/plan.hpp"
#include "preload/frame.hpp"
#include "preload/stubs.hpp"

namespace cudafault {

constexpr int kNoGpu = -1;  // no single one, or unknown

// The process's own ordinal of the GPU that the call is about.
int gpu_of_call(int row, const Frame& frame);

// What a call's device argument says, where it has one; asks nobody.
int gpu_argument(int row, const Frame& frame);

bool is_selected(const Fault& fault, int ordinal);

// Whether each GPU that the process sees is selected; false if it sees none.
bool all_are_selected(const Fault& fault);

}  // namespace cudafault
