// SPDX-License-Identifier: Apache-2.0
#include "preload/resolve/function_rows.hpp"

#include "preload/resolve/objects.hpp"
#include "preload/resolve/real.hpp"

namespace cudafault {

namespace {

Text library_stem(Api api) {
    switch (api) {
        case Api::driver: return without_version(kDriverSoname);
        case Api::runtime: return "libcudart";
        case Api::nvml: return without_version(kNvmlSoname);
        case Api::nccl: return without_version(kNcclSoname);
    }
    return {};
}

bool is_form_of(Text name, Text symbol) {
    return starts_with(name, symbol) && (name.size == symbol.size || name[symbol.size] == '_');
}

}  // namespace

Resolved resolved_row(const void* address, Text symbol, unsigned version, bool per_thread) {
    LoadedObject object;
    const bool loaded = find_object(address, object);
    const auto is_at_address = [&](int row) {
        if (kFunctions[row].api != Api::driver) return false;
        return known_target(row) == address || (loaded && object.function(function_name(row)) == address);
    };
    int best = -1;
    for (int row = first_row_from(symbol); row < kFunctionCount && starts_with(function_name(row), symbol); ++row) {
        const Function& function = kFunctions[row];
        if (is_at_address(row)) return {row, true};
        if (function.api != Api::driver || !is_form_of(function_name(row), symbol)) continue;
        if (function.version > version || function.per_thread != per_thread) continue;
        if (best < 0 || function.version > kFunctions[best].version) best = row;
    }
    for (int row = 0; row < kFunctionCount; ++row) {
        if (is_at_address(row)) return {row, true};
    }
    return {best, false};
}

bool is_library_of(Api api, const LoadedObject& object) { return starts_with(object.soname(), library_stem(api)); }

int runtime_row(int first_row, const void* address) { return runtime_row(first_row, object_at(address).soname()); }

int runtime_row(int first_row, Text soname) {
    int row = first_row;
    for (; kFunctions[row].api == Api::runtime; ++row) {
        if (soname == Text(kRuntimeSonames[kFunctions[row].soname])) return row;
        if (row + 1 == kFunctionCount || function_name(row + 1) != function_name(first_row)) break;
    }
    return row;
}

}  // namespace cudafault
