// SPDX-License-Identifier: Apache-2.0
// The real functions behind the stubs. No reference to their libraries is kept: dlclose unloads as without us.
#pragma once

#include "fault/atomics.hpp"
#include "preload/surface/stubs.hpp"

namespace cudafault {

// Makes every row whose function is not known yet ask when it is called; before that the flag byte must not say idle.
void prepare_targets();

// The real function of a row, looked for if it is not known; nullptr: no library that has it is loaded.
const void* real_function(int row);

// The same, but never that of another runtime.
const void* own_real_function(int row);

// Forgets real functions whose library has been unloaded: it may come back elsewhere.
void forget_unloaded();

// What the absence of the row's library would answer.
uint64_t absent_answer(int row);

// The stub to hand out in place of `found`, a function of the row that the program has got hold of. If the row's own
// stub leads elsewhere already (a second copy of the library, another interposer), a spare one.
const void* stub_for(int row, const void* found, bool inner);

// A spare stub for `found`, which is not the function that the row's library exports; row -1: no row knows it.
const void* spare_stub(int row, const void* found);

// What stub `number` is for: its row (-1: a function that the table does not know) and where it leads.
struct StubUse {
    int row;
    int target;  // entry of the target table
    bool inner;
};
StubUse use_of_stub(int number);

// Where that entry leads: nullptr while unknown.
inline const void* known_target(int target) {
    const void* value = observe(cudafault_targets[target]);
    return value == slow_entry(target) ? nullptr : value;
}

// The row of what a driver's resolver handed out: the one that is exported at this address, else the one that was asked
// for, else -1.
struct Resolved {
    int row;
    bool exported;
};
Resolved resolved_row(const void* address, Text symbol, unsigned version, bool per_thread);

// Whether the address lies in a libcudart, whose calls into the driver are inner calls.
bool is_in_cudart(const void* address);

// The row of a runtime name that belongs to the libcudart at `address`, or of the one with that soname.
int runtime_row(int first_row, const void* address);
int runtime_row(int first_row, Text soname);

}  // namespace cudafault
