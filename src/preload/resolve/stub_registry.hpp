// SPDX-License-Identifier: Apache-2.0
// Assigns stubs to functions. Each row has its own stub; functions that are loaded twice or have no row get spare
// stubs. All functions are thread-safe and take no lock of their own.
#pragma once

#include "preload/surface/stubs.hpp"

namespace cudafault {

// Returns the stub that the program gets instead of `found`, a function of the row: the row's own stub, or a spare stub
// if the row's own stub already has another real function (a second copy of the library, another interposer). `inner`
// selects the stub for calls that a shared libcudart makes.
const void* stub_for(int row, const void* found, bool inner);

// Returns a spare stub for `found`, which is not the function that the row's library exports. `row` is -1 if no row
// matches. Returns `found` itself once all spare stubs are in use, so that the program still works.
const void* claim_spare_stub(int row, const void* found);

struct StubUse {
    int row;     // -1: the function has no row
    int target;  // index in the target table
    bool inner;  // for calls that a shared libcudart makes
};

// Returns the row and the target of the stub with this number.
StubUse use_of_stub(int number);

// Returns the real function of the stub, or nullptr if no loaded library defines it.
const void* target_of(const StubUse& use);

}  // namespace cudafault
