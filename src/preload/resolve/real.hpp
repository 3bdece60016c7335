// SPDX-License-Identifier: Apache-2.0
// The real functions behind the stubs. No reference to their libraries is kept, so that dlclose unloads them as it does
// without the preload.
#pragma once

#include "fault/atomics.hpp"
#include "preload/surface/stubs.hpp"

namespace cudafault {

// Makes every row whose function is not known yet ask when it is called; before that the flag byte must not say idle.
void prepare_targets();

// The real function of a row, searched for if it is not known; nullptr: no library that has it is loaded.
const void* real_function(int row);

// The same, but never that of another runtime.
const void* own_real_function(int row);

// Makes `found` the real function of the row, unless another one is known and still loaded. Returns whether `found` is
// the row's real function now.
bool adopt_real_function(int row, const void* found);

// Forgets real functions whose library has been unloaded: it may come back elsewhere.
void forget_unloaded();

// Where an entry of the target table leads; nullptr while unknown.
inline const void* known_target(int target) {
    const void* value = observe(cudafault_targets[target]);
    return value == slow_entry(target) ? nullptr : value;
}

}  // namespace cudafault
