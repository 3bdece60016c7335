// SPDX-License-Identifier: Apache-2.0
// Which row of the function table an address belongs to.
#pragma once

#include "fault/functions.hpp"

namespace cudafault {

// The row of what a driver's resolver handed out: the one that is exported at this address, else the one that was asked
// for, else -1.
struct Resolved {
    int row;
    bool exported;
};
Resolved resolved_row(const void* address, Text symbol, unsigned version, bool per_thread);

// Whether the address lies in a library of that API: in a driver, a libcudart, an NVML or an NCCL.
bool is_in_library(Api api, const void* address);

// The row of a runtime name that belongs to the libcudart at `address`, or of the one with that soname.
int runtime_row(int first_row, const void* address);
int runtime_row(int first_row, Text soname);

}  // namespace cudafault
