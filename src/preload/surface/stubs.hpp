// SPDX-License-Identifier: Apache-2.0
// Declares the stubs and their numbers, in this order: an exported stub for each row of the function table; spare stubs
// for functions that are loaded twice or have no row; a second stub for each row of the driver, for calls that a shared
// libcudart makes (inner calls); and the overrides of the dynamic linker's functions.
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

struct RowRange {
    int first, count;
};

// The driver's rows are adjacent, because the table is sorted by name.
constexpr RowRange driver_rows() {
    constexpr Api kApis[] = {
#define CUDAFAULT_ROW(name, soname, api, ...) Api::api,
#include "functions.inc"
#undef CUDAFAULT_ROW
    };
    RowRange range = {kFunctionCount, 0};
    for (int row = kFunctionCount - 1; row >= 0; --row) {
        if (kApis[row] != Api::driver) continue;
        if (range.count > 0 && range.first != row + 1) return {};
        range = {row, range.count + 1};
    }
    return range;
}
inline constexpr RowRange kDriverRows = driver_rows();
static_assert(kDriverRows.count > 0, "the driver's rows are not adjacent");

inline constexpr int kFirstInner = kTargets;
inline constexpr int kFirstLoaderHook = kFirstInner + kDriverRows.count;

enum LoaderHook { kDlsym, kDlvsym, kDlopen, kDlmopen, kDlclose, kDlerror };

}  // namespace cudafault

extern "C" {
extern const char cudafault_stubs[] __attribute__((visibility("hidden")));

// The target table: the addresses that idle stubs jump to, first one for each row, then one for each spare stub.
extern const void* cudafault_targets[cudafault::kTargets] __attribute__((visibility("hidden")));
}

namespace cudafault {

inline const void* stub(int number) { return cudafault_stubs + static_cast<size_t>(number) * CUDAFAULT_STUB_SIZE; }

// Returns the entry of the stub that calls cudafault_decide without checking the flag. The target table contains this
// entry while the real function is not known.
inline const void* slow_entry(int number) { return static_cast<const char*>(stub(number)) + CUDAFAULT_SLOW_OFFSET; }

// Returns the number of the stub at an address, or -1.
int stub_at(const void* address);

// Returns true if the address lies in this library.
bool is_in_this_library(const void* address);

inline const void* outside_this_library(const void* found) {
    return found && !is_in_this_library(found) ? found : nullptr;
}

}  // namespace cudafault
