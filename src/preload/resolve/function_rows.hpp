// SPDX-License-Identifier: Apache-2.0
// Finds the row of the function table that an address belongs to. The functions that take an address call
// dl_iterate_phdr, which takes the dynamic linker's lock. None of them allocates memory.
#pragma once

#include "fault/functions.hpp"
#include "preload/resolve/elf.hpp"

namespace cudafault {

struct Resolved {
    int row;        // -1: no row
    bool exported;  // the driver exports the row's function at the address
};

// Finds the row of a function that a driver's resolver (such as cuGetProcAddress) returned for `symbol`: the row whose
// function the driver exports at `address`, or else the newest row of that symbol with an ABI version of at most
// `version` and the same default stream (legacy or per-thread).
Resolved resolved_row(const void* address, Text symbol, unsigned version, bool per_thread);

// Returns true if the object is a library of the API: libcuda, libcudart, libnvidia-ml or libnccl.
bool is_library_of(Api api, const LoadedObject& object);

// Returns the row of a runtime function for the libcudart that contains `address`, or for the libcudart with that
// soname. `first_row` is the first row with the function's name. If no row has the soname, returns the last row with
// the name.
int runtime_row(int first_row, const void* address);
int runtime_row(int first_row, Text soname);

}  // namespace cudafault
