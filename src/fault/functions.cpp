// SPDX-License-Identifier: Apache-2.0
#include "fault/functions.hpp"

namespace cudafault {

namespace {

// A member per row gives each name a compile-time offset. A table of pointers would need one relocation per row.
struct Names {
#define CUDAFAULT_ROW(name, soname, ...) char name##_##soname[sizeof #name];
#include "functions.inc"
#undef CUDAFAULT_ROW
};

constexpr Names kNames = {
#define CUDAFAULT_ROW(name, ...) #name,
#include "functions.inc"
#undef CUDAFAULT_ROW
};

constexpr const char* kClassNames[kCallClasses] = {"init",  "device", "context", "module", "memory",
                                                   "copy",  "launch", "sync",    "query",  "stream",
                                                   "event", "graph",  "peer",    "ipc",    "pure"};

}  // namespace

const Function kFunctions[] = {
#define CUDAFAULT_ROW(name, soname, api, cls, from, slot, hook, status, simple, per_thread, version, newest) \
    {offsetof(Names, name##_##soname),                                                                       \
     version,                                                                                                \
     Api::api,                                                                                               \
     soname,                                                                                                 \
     CallClass::cls,                                                                                         \
     DeviceFrom::from,                                                                                       \
     slot,                                                                                                   \
     Hook::hook,                                                                                             \
     status,                                                                                                 \
     simple,                                                                                                 \
     per_thread},
#include "functions.inc"
#undef CUDAFAULT_ROW
};

Text function_name(int index) { return Text(reinterpret_cast<const char*>(&kNames) + kFunctions[index].name); }

int first_row_from(Text prefix) {
    int low = 0, high = kFunctionCount;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (compare(function_name(middle), prefix) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

int find_function(Text name) {
    const int row = first_row_from(name);
    return row < kFunctionCount && function_name(row) == name ? row : -1;
}

const char* class_name(CallClass value) { return kClassNames[static_cast<int>(value)]; }

bool find_class(Text name, CallClass& out) {
    for (int i = 0; i < kCallClasses; ++i) {
        if (name == Text(kClassNames[i])) {
            out = static_cast<CallClass>(i);
            return true;
        }
    }
    return false;
}

}  // namespace cudafault
