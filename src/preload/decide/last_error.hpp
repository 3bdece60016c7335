// SPDX-License-Identifier: Apache-2.0
// The error that a libcudart reports as its last one in this thread, where we made it up: PyTorch reads nothing else
// after a launch.
#pragma once

#include "preload/decide/decision.hpp"
#include "preload/surface/frame.hpp"

namespace cudafault {

void remember_last_error(int row, const Decision& decision);

// The answer of cudaGetLastError and cudaPeekAtLastError.
Verdict last_error(int row);

}  // namespace cudafault
