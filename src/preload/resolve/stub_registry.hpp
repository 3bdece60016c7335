// SPDX-License-Identifier: Apache-2.0
// Which stub stands for which function: the rows' own stubs, and spare ones for functions that are loaded twice or that
// no row knows.
#pragma once

#include "preload/surface/stubs.hpp"

namespace cudafault {

// The stub to hand out in place of `found`, a function of the row that the program has got hold of. If the row's own
// stub leads elsewhere already (a second copy of the library, another interposer), a spare one.
const void* stub_for(int row, const void* found, bool inner);

// A spare stub for `found`, which is not the function that the row's library exports; row -1: no row knows it. Returns
// `found` itself once all spare stubs are in use, so that the program works.
const void* spare_stub(int row, const void* found);

// What stub `number` is for: its row (-1: a function that the table does not know) and its entry in the target table.
struct StubUse {
    int row;
    int target;
    bool inner;
};
StubUse use_of_stub(int number);

// The real function that the stub leads to; nullptr: no library that has it is loaded.
const void* target_of(const StubUse& use);

}  // namespace cudafault
