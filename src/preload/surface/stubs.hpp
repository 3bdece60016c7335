// SPDX-License-Identifier: Apache-2.0
// The stubs, numbered: one for each row of the function table, which is exported; spare ones for functions that are
// there twice or that the table does not know; one for each row again for calls that a shared libcudart makes ("inner"
// calls); and the overrides of the dynamic linker's interface.
#pragma once

#include "fault/functions.hpp"

#if defined(__x86_64__)
#include "preload/surface/stubs_x86_64.hpp"
#elif defined(__aarch64__)
#include "preload/surface/stubs_aarch64.hpp"
#endif

namespace cudafault {

#define CUDAFAULT_SPARES 1024
inline constexpr int kSpares = CUDAFAULT_SPARES;
inline constexpr int kTargets = kFunctionCount + kSpares;  // entries of the target table
inline constexpr int kFirstInner = kTargets;
inline constexpr int kFirstLoaderHook = kFirstInner + kFunctionCount;

enum LoaderHook { kDlsym, kDlvsym, kDlopen, kDlmopen, kDlclose, kDlerror };

}  // namespace cudafault

extern "C" {
extern const char cudafault_stubs[] __attribute__((visibility("hidden")));

// Where an idle stub jumps: an entry for each row, then one for each spare stub.
extern const void* cudafault_targets[cudafault::kTargets] __attribute__((visibility("hidden")));
}

namespace cudafault {

inline const void* stub(int number) { return cudafault_stubs + static_cast<size_t>(number) * CUDAFAULT_STUB_SIZE; }

// Where that stub asks for a decision whatever the flag says; what stands in the target table while the real function
// is not known.
inline const void* slow_entry(int number) { return static_cast<const char*>(stub(number)) + CUDAFAULT_SLOW_OFFSET; }

// The number of the stub at an address, or -1.
int stub_at(const void* address);

// Whether the address lies in this library.
bool is_ours(const void* address);

inline const void* unless_ours(const void* found) { return found && !is_ours(found) ? found : nullptr; }

}  // namespace cudafault
