// SPDX-License-Identifier: Apache-2.0
// Implements cuGetProcAddress, cuGetExportTable and the names of errors.
#include <algorithm>
#include <cstring>

#include "simgpu/driver/state.hpp"
#include "simgpu/driver/table.hpp"
#include "simgpu/notice.hpp"

namespace cudafault::sim {
namespace {

constexpr uint64_t kPerThreadFlag = 2, kKnownFlags = 3;

// Values of CUdriverProcAddressQueryResult
enum QueryResult { kFound = 0, kSymbolNotFound = 1, kVersionNotSufficient = 2 };

struct ErrorText {
    int code;
    const char* text;
};

// The driver and the runtime use the same texts.
#define CUDART_ERROR(code, name, text) {code, text},
constexpr ErrorText kErrorTexts[] = {
#include "simgpu/cudart/errors.inc"
};
#undef CUDART_ERROR

// Finds the newest variant of a function that is not newer than the requested version, in the requested stream mode. A
// function without a variant for per-thread streams is the same in both modes.
QueryResult find(const char* symbol, int version, uint64_t flags, void*& function) {
    const auto* end = kDriverEntries + kDriverEntryCount;
    const auto less = [](const DriverEntry& entry, const char* name) { return std::strcmp(entry.symbol, name) < 0; };
    const auto* entry = std::lower_bound(kDriverEntries, end, symbol, less);
    bool known = false, per_thread = false;
    for (; entry != end && std::strcmp(entry->symbol, symbol) == 0; ++entry) {
        known = true;
        if (entry->version > version || (entry->per_thread && !(flags & kPerThreadFlag))) continue;
        if (per_thread && !entry->per_thread) continue;
        per_thread = entry->per_thread;
        function = entry->function;
    }
    return function ? kFound : known ? kVersionNotSufficient : kSymbolNotFound;
}

const char* error_text(int code) {
    for (const ErrorText& error : kErrorTexts) {
        if (error.code == code) return error.text;
    }
    return nullptr;
}

const char* error_name(int code) {
    for (size_t i = 0; i < kErrorNameCount; ++i) {
        if (kErrorNames[i].code == code) return kErrorNames[i].name;
    }
    return nullptr;
}

Result set_text_output(const char** out, const char* text) {
    if (!out) return kInvalidValue;
    *out = text;
    return text ? kSuccess : kInvalidValue;
}

}  // namespace

int unsupported() {
    return with_driver([](State&) { return kNotSupported; });
}

// Programs can call this function before cuInit. If the requested function is not found, the call succeeds with a null
// pointer and the reason in `status`.
SIM_API Result cuGetProcAddress_v2(const char* symbol, void** function, int version, uint64_t flags, int* status) {
    if (!symbol || !function || (flags & ~kKnownFlags)) return kInvalidValue;
    *function = nullptr;
    const QueryResult result = find(symbol, version, flags, *function);
    if (status) *status = result;
    return kSuccess;
}

SIM_API Result cuGetProcAddress(const char* symbol, void** function, int version, uint64_t flags) {
    int status = kFound;
    if (Result error = cuGetProcAddress_v2(symbol, function, version, flags, &status)) return error;
    return status == kFound ? kSuccess : kNotFound;
}

// NVIDIA's libraries identify NVIDIA's driver by undocumented tables. The simulated driver has none.
SIM_API Result cuGetExportTable(const void** table, const Uuid*) {
    if (!table) return kInvalidValue;
    warn_about_static_runtime();
    *table = nullptr;
    return kNotFound;
}

SIM_API Result cuGetErrorName(int code, const char** name) { return set_text_output(name, error_name(code)); }
SIM_API Result cuGetErrorString(int code, const char** text) { return set_text_output(text, error_text(code)); }

}  // namespace cudafault::sim
