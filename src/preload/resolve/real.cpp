// SPDX-License-Identifier: Apache-2.0
#include "preload/resolve/real.hpp"

#include <dlfcn.h>

#include "fault/atomics.hpp"
#include "preload/resolve/libc.hpp"
#include "preload/resolve/objects.hpp"

namespace cudafault {

namespace {

bool is_resolver(int row) { return kFunctions[row].hook == Hook::resolver; }

// A resolver's stub takes the slow path even while no plan is armed, so its entry in the target table never changes.
// `resolvers` stores the real function instead.
constexpr Hook kHooks[] = {
#define CUDAFAULT_ROW(name, soname, api, cls, from, slot, hook, ...) Hook::hook,
#include "functions.inc"
#undef CUDAFAULT_ROW
};
constexpr int count_resolvers() {
    int count = 0;
    for (Hook hook : kHooks) count += hook == Hook::resolver;
    return count;
}
constexpr int kResolvers = count_resolvers();
struct Resolver {
    int row;  // row + 1; 0: unused
    const void* real;
};
Resolver resolvers[kResolvers];

// Returns the entry of the resolver in `resolvers`, or nullptr if the resolver has no entry yet.
const void** known_resolver(int row) {
    for (Resolver& resolver : resolvers) {
        if (load(resolver.row) == row + 1) return &resolver.real;
    }
    return nullptr;
}

const void** real_slot(int row) {
    if (!is_resolver(row)) return &cudafault_targets[row];
    if (const void** known = known_resolver(row)) return known;
    for (Resolver& resolver : resolvers) {
        int expected = 0;
        if (__atomic_compare_exchange_n(&resolver.row, &expected, row + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED) ||
            expected == row + 1) {
            return &resolver.real;
        }
    }
    return nullptr;  // unreachable: `resolvers` has an entry for every resolver
}

const void* real_or_null(int row, const void* value) { return value == slow_entry(row) ? nullptr : value; }

bool is_loaded(const void* address) {
    Dl_info info;
    return !libc().dladdr || libc().dladdr(address, &info) != 0;
}

// Names in the function table end with '\0'.
const char* c_name(int row) { return function_name(row).data; }

// Searches the objects after this library, so that other interposers are still called.
const void* find_next(int row) {
    const Function& function = kFunctions[row];
    if (function.api == Api::runtime) {
        return libc().dlvsym ? outside_this_library(libc().dlvsym(RTLD_NEXT, c_name(row), soname_of(function)))
                             : nullptr;
    }
    return outside_this_library(libc().dlsym(RTLD_NEXT, c_name(row)));
}

const void* find_in(const char* soname, int row) {
    if (!libc().dlopen || !libc().dlclose) return nullptr;
    void* library = libc().dlopen(soname, RTLD_LAZY | RTLD_NOLOAD);
    if (!library) return nullptr;
    const void* found = outside_this_library(libc().dlsym(library, c_name(row)));
    libc().dlclose(library);
    return found;
}

bool is_loaded(const char* soname) {
    void* library = libc().dlopen(soname, RTLD_LAZY | RTLD_NOLOAD);
    if (library) libc().dlclose(library);
    return library != nullptr;
}

// A reference without a version is bound to the stub of the newest runtime, but the program may have loaded only an
// older runtime (D-005).
const void* find_in_other_runtime(int row) {
    const ErrnoGuard errno_guard;
    if (!libc().dlsym || !libc().dlopen || !libc().dlclose || is_loaded(soname_of(kFunctions[row]))) return nullptr;
    const void* found = outside_this_library(libc().dlsym(RTLD_NEXT, c_name(row)));
    for (int i = kRuntimeSonameCount; !found && --i >= 0;) found = find_in(kRuntimeSonames[i], row);
    if (libc().dlerror) libc().dlerror();
    return found && !is_data(found, function_name(row)) ? found : nullptr;
}

// Used if dlsym is not loaded. Before glibc 2.34, a program can be linked to CUDA without libdl.
const void* find_in_objects(int row) {
    const Function& function = kFunctions[row];
    const void* found = nullptr;
    any_object([&](const dl_phdr_info& info) {
        const LoadedObject object(info);
        if (LoadedObject::contains(info, stub(0)) || object.soname() != Text(soname_of(function))) return false;
        found = object.function(function_name(row));
        return found != nullptr;
    });
    return found;
}

const void* find_real(int row) {
    const ErrnoGuard errno_guard;
    if (!libc().dlsym) return find_in_objects(row);
    const void* found = find_next(row);
    // RTLD_NEXT does not search libraries that Python or a plugin has opened with RTLD_LOCAL.
    if (!found) found = find_in(soname_of(kFunctions[row]), row);
    if (libc().dlerror) libc().dlerror();  // clears the error of these lookups, because the program did not make them
    return found && !is_data(found, function_name(row)) ? found : nullptr;
}

}  // namespace

void prepare_targets() {
    for (int row = 0; row < kFunctionCount; ++row) {
        const void* expected = nullptr;
        __atomic_compare_exchange_n(&cudafault_targets[row], &expected, slow_entry(row), false, __ATOMIC_RELEASE,
                                    __ATOMIC_RELAXED);
    }
}

const void* resolve_real_function(int row) {
    const void** slot = real_slot(row);
    if (!slot) return nullptr;
    const void* real = real_or_null(row, observe(*slot));
    if (real) return real;
    real = find_real(row);
    if (real) publish(*slot, real);
    return real;
}

// A function of another runtime is not stored, because the stub's own runtime may be loaded later.
const void* real_function(int row) {
    const void* real = resolve_real_function(row);
    return real || kFunctions[row].api != Api::runtime ? real : find_in_other_runtime(row);
}

void remove_unloaded() {
    LoadedObject last;  // cached, because adjacent rows usually belong to the same library
    for (int row = 0; row < kFunctionCount; ++row) {
        const void** slot = is_resolver(row) ? known_resolver(row) : &cudafault_targets[row];
        const void* real = slot ? real_or_null(row, load(*slot)) : nullptr;
        if (!real || last.contains(real) || find_object(real, last) || is_loaded(real)) continue;
        store(*slot, is_resolver(row) ? nullptr : slow_entry(row));
    }
}

bool adopt_real_function(int row, const void* found) {
    const void** slot = real_slot(row);
    const void* real = slot ? real_or_null(row, observe(*slot)) : nullptr;
    if (real == found) return true;
    if (!slot || (real && is_loaded(real))) return false;
    publish(*slot, found);
    return true;
}

}  // namespace cudafault
