// SPDX-License-Identifier: Apache-2.0
// Keeps the injected error that cudaGetLastError and cudaPeekAtLastError report in this thread. PyTorch checks only
// this error after a launch. Thread-safe: the error is thread-local.
#pragma once

#include "preload/decide/decision.hpp"
#include "preload/surface/frame.hpp"

namespace cudafault {

// Stores the error that an injected fault made a runtime function return. Does nothing for the functions of other APIs.
void remember_last_error(int row, const Decision& decision);

// Returns the injected error while its fault is in force, and otherwise passes the call to the real function. `row` is
// a row of cudaGetLastError, which also clears the error, or of cudaPeekAtLastError.
Verdict last_error(int row);

}  // namespace cudafault
