// SPDX-License-Identifier: Apache-2.0
// The stubs, numbered: one for each row of the function table, which is exported; spare ones for functions that are there
// twice or that the table does not know; one for each row again for calls that a shared libcudart makes ("inner" calls);
// and the overrides of the dynamic linker's interface.
#pragma once

#include "fault/functions.hpp"

namespace cudafault {

#define CUDAFAULT_SPARES 1024
inline constexpr int kSpares = CUDAFAULT_SPARES;
inline constexpr int kTargets = kFunctionCount + kSpares;  // entries of the target table
inline constexpr int kFirstInner = kTargets;
inline constexpr int kFirstLoaderHook = kFirstInner + kFunctionCount;

enum LoaderHook { kDlsym, kDlvsym, kDlopen, kDlmopen, kDlerror, kLoaderHooks };

// Address of the stub with that number.
const void* stub(int number);

// Where that stub asks for a decision whatever the flag says; what stands in the target table while the real function
// is not known.
const void* slow_entry(int number);

// The number of the stub at an address, or -1.
int stub_at(const void* address);

// Whether the address lies in this library.
bool is_ours(const void* address);

}  // namespace cudafault

// Where an idle stub jumps: an entry for each row, then one for each spare stub.
extern "C" const void* cudafault_targets[];
