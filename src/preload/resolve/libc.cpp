// SPDX-License-Identifier: Apache-2.0
#include "preload/resolve/libc.hpp"

#include <dlfcn.h>

#include "fault/atomics.hpp"
#include "preload/resolve/objects.hpp"
#include "preload/surface/stubs.hpp"

namespace cudafault {

namespace {

// Before glibc 2.34, libdl and libpthread are separate libraries.
constexpr const char* kLibcParts[] = {"libdl.so", "libdl-", "libpthread.so", "libpthread-"};

bool is_part_of_libc(const dl_phdr_info& object) {
    const Text name = base_name_of(Text(object.dlpi_name));
    for (const char* part : kLibcParts) {
        if (starts_with(name, part)) return true;
    }
    return false;
}

LibcFunctions functions, next_functions;

template <typename Function>
void find_once(Function& function, Text name) {
    if (!load(function)) store(function, reinterpret_cast<Function>(const_cast<void*>(find_in_libc(name))));
}

template <typename Function>
void find_next_once(Function& function, Function of_libc, const char* name) {
    if (load(function) || !of_libc) return;
    void* found = functions.dlsym(RTLD_NEXT, name);
    store(function, found && !is_in_this_library(found) ? reinterpret_cast<Function>(found) : of_libc);
}

}  // namespace

const void* find_in_libc(Text name) {
    LoadedObject libc_object;
    if (!find_libc(libc_object)) return nullptr;
    const void* found = libc_object.function(name);
    if (found) return found;
    any_object([&](const dl_phdr_info& object) {
        if (!is_part_of_libc(object)) return false;
        found = LoadedObject(object).function(name);
        return found != nullptr;
    });
    return found;
}

const LibcFunctions& libc() {
    if (!load(functions.dladdr)) {
        find_once(functions.errno_location, "__errno_location");
        find_once(functions.dlsym, "dlsym");
        find_once(functions.dlvsym, "dlvsym");
        find_once(functions.dlopen, "dlopen");
        find_once(functions.dlmopen, "dlmopen");
        find_once(functions.dlerror, "dlerror");
        find_once(functions.dlclose, "dlclose");
        find_once(functions.dladdr, "dladdr");
    }
    return functions;
}

const LibcFunctions& next_in_chain() {
    const LibcFunctions& own = libc();
    if (!load(next_functions.dlerror) && own.dlsym) {
        find_next_once(next_functions.dlsym, own.dlsym, "dlsym");
        find_next_once(next_functions.dlvsym, own.dlvsym, "dlvsym");
        find_next_once(next_functions.dlopen, own.dlopen, "dlopen");
        find_next_once(next_functions.dlmopen, own.dlmopen, "dlmopen");
        find_next_once(next_functions.dlclose, own.dlclose, "dlclose");
        find_next_once(next_functions.dlerror, own.dlerror, "dlerror");
    }
    return next_functions;
}

ErrnoGuard::ErrnoGuard()
    : errno_(libc().errno_location ? libc().errno_location() : nullptr), before_(errno_ ? *errno_ : 0) {}
ErrnoGuard::~ErrnoGuard() {
    if (errno_) *errno_ = before_;
}

bool is_glibc() {
    static int8_t cached;  // 1: yes, -1: no, 0: not known yet
    if (load(cached) == 0) {
        LoadedObject libc_object;
        if (!find_libc(libc_object)) return false;
        store(cached, static_cast<int8_t>(libc_object.function("gnu_get_libc_version") ? 1 : -1));
    }
    return load(cached) > 0;
}

}  // namespace cudafault
