// SPDX-License-Identifier: Apache-2.0
// Finds the real functions behind the stubs. Keeps no handle to their libraries open, so that dlclose can unload them
// as in a program without the fault library. All functions are thread-safe and allocate no memory themselves.
#pragma once

#include "fault/atomics.hpp"
#include "preload/surface/stubs.hpp"

namespace cudafault {

// Sets the target of every row without a known real function to the slow entry of its stub. The flag must not become
// kFlagIdle before this function returns, because an idle stub jumps to its target.
void prepare_targets();

// Returns the real function of a row. Searches for the function if it is not known yet. Returns nullptr if no loaded
// library defines the function. Preserves errno; a search clears dlerror.
const void* real_function(int row);

// Returns the real function of a row. Searches for the function and stores it if it is not known yet. Unlike
// real_function, never returns the function of another major version of libcudart.
const void* resolve_real_function(int row);

// Makes `found` the real function of the row, unless the row has another real function that is still loaded. Returns
// true if `found` is now the real function of the row.
bool adopt_real_function(int row, const void* found);

// Removes the real functions whose library has been unloaded. The library may be loaded again at another address.
void remove_unloaded();

// Returns the real function in an entry of the target table, or nullptr if the function is not known yet.
inline const void* known_target(int target) {
    const void* value = observe(cudafault_targets[target]);
    return value == slow_entry(target) ? nullptr : value;
}

}  // namespace cudafault
