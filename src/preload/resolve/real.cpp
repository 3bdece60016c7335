// SPDX-License-Identifier: Apache-2.0
#include "preload/resolve/real.hpp"

#include <dlfcn.h>

#include "fault/atomics.hpp"
#include "preload/evidence/log.hpp"
#include "preload/resolve/elf.hpp"
#include "preload/resolve/libc.hpp"

namespace cudafault {

namespace {

uint64_t spares_used;
int16_t spare_rows[kSpares];  // row + 1; 0: a function without a row
bool spares_exhausted;

bool is_resolver(int row) { return kFunctions[row].hook == Hook::resolver; }

// A resolver's stub must ask even while nothing is armed, so its real function is kept here.
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
    int row;  // + 1; 0: free
    const void* real;
};
Resolver resolvers[kResolvers];

// Where the real function of a resolver is kept, if it ever was.
const void** known_resolver(int row) {
    for (Resolver& resolver : resolvers) {
        if (load(resolver.row) == row + 1) return &resolver.real;
    }
    return nullptr;
}

const void** real_slot(int row) {
    if (!is_resolver(row)) return &cudafault_targets[row];
    if (const void** kept = known_resolver(row)) return kept;
    for (Resolver& resolver : resolvers) {
        int expected = 0;
        if (__atomic_compare_exchange_n(&resolver.row, &expected, row + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED) ||
            expected == row + 1) {
            return &resolver.real;
        }
    }
    return nullptr;  // not reached: there is one for each such row
}

const void* known(int row, const void* value) { return value == slow_entry(row) ? nullptr : value; }

bool is_loaded(const void* address) {
    Dl_info info;
    return !libc().dladdr || libc().dladdr(address, &info) != 0;
}

const char* soname_of(const Function& function) {
    switch (function.api) {
        case Api::driver: return "libcuda.so.1";
        case Api::runtime: return kRuntimeSonames[function.soname];
        case Api::nvml: return "libnvidia-ml.so.1";
        case Api::nccl: return "libnccl.so.2";
    }
    return "";
}

// Names in the table are terminated.
const char* c_name(int row) { return function_name(row).data; }

const void* usable(const void* found) { return found && !is_ours(found) ? found : nullptr; }

// Behind us in the search order: another interposer stays in the chain.
const void* find_next(int row) {
    const Function& function = kFunctions[row];
    if (function.api == Api::runtime) {
        return libc().dlvsym ? usable(libc().dlvsym(RTLD_NEXT, c_name(row), soname_of(function))) : nullptr;
    }
    return usable(libc().dlsym(RTLD_NEXT, c_name(row)));
}

const void* find_in(const char* soname, int row) {
    if (!libc().dlopen || !libc().dlclose) return nullptr;
    void* library = libc().dlopen(soname, RTLD_LAZY | RTLD_NOLOAD);
    if (!library) return nullptr;
    const void* found = usable(libc().dlsym(library, c_name(row)));
    libc().dlclose(library);
    return found;
}

bool is_function(const void* address, Text name) {
    LoadedObject object;
    if (!find_object(address, object)) return true;
    const ElfW(Sym)* symbol = object.find(name);
    return !symbol || ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT;
}

bool is_loaded(const char* soname) {
    void* library = libc().dlopen(soname, RTLD_LAZY | RTLD_NOLOAD);
    if (library) libc().dlclose(library);
    return library != nullptr;
}

// A reference without a version leads to the newest runtime's stub; the program may have an older one alone.
const void* find_in_other_runtime(int row) {
    const ErrnoKept kept;
    if (!libc().dlsym || !libc().dlopen || !libc().dlclose || is_loaded(soname_of(kFunctions[row]))) return nullptr;
    const void* found = usable(libc().dlsym(RTLD_NEXT, c_name(row)));
    for (int i = kRuntimeSonameCount; !found && --i >= 0;) found = find_in(kRuntimeSonames[i], row);
    if (libc().dlerror) libc().dlerror();
    return found && is_function(found, function_name(row)) ? found : nullptr;
}

// Before glibc 2.34 a linked program need not have libdl, and with it dlsym.
const void* find_in_objects(int row) {
    const Function& function = kFunctions[row];
    const void* found = nullptr;
    any_object([&](const dl_phdr_info& info) {
        const LoadedObject object(info);
        if (LoadedObject::holds(info, stub(0)) || object.soname() != Text(soname_of(function))) return false;
        found = object.function(function_name(row));
        return found != nullptr;
    });
    return found;
}

const void* find_real(int row) {
    const ErrnoKept kept;
    if (!libc().dlsym) return find_in_objects(row);
    const void* found = find_next(row);
    // Python and plugins load CUDA where RTLD_NEXT does not look.
    if (!found) found = find_in(soname_of(kFunctions[row]), row);
    if (libc().dlerror) libc().dlerror();  // the program asked for none of these look-ups
    return found && is_function(found, function_name(row)) ? found : nullptr;
}

int spare_with(int row, const void* found) {
    const uint64_t used = observe(spares_used);
    for (uint64_t i = 0; i < used && i < kSpares; ++i) {
        if (load(cudafault_targets[kFunctionCount + i]) == found && load(spare_rows[i]) == row + 1) {
            return static_cast<int>(i);
        }
    }
    return -1;
}

bool is_form_of(Text name, Text symbol) {
    return starts_with(name, symbol) && (name.size == symbol.size || name[symbol.size] == '_');
}

bool has_text(Text name, Text part) {
    for (size_t i = 0; i + part.size <= name.size; ++i) {
        if (name.from(i).first(part.size) == part) return true;
    }
    return false;
}

}  // namespace

void prepare_targets() {
    for (int row = 0; row < kFunctionCount; ++row) {
        const void* expected = nullptr;
        __atomic_compare_exchange_n(&cudafault_targets[row], &expected, slow_entry(row), false, __ATOMIC_RELEASE,
                                    __ATOMIC_RELAXED);
    }
}

const void* own_real_function(int row) {
    const void** slot = real_slot(row);
    if (!slot) return nullptr;
    const void* real = known(row, observe(*slot));
    if (real) return real;
    real = find_real(row);
    if (real) publish(*slot, real);
    return real;
}

// What another runtime has is not kept: the stub's own may come later.
const void* real_function(int row) {
    const void* real = own_real_function(row);
    return real || kFunctions[row].api != Api::runtime ? real : find_in_other_runtime(row);
}

void forget_unloaded() {
    LoadedObject last;  // functions that follow one another are mostly of one library
    for (int row = 0; row < kFunctionCount; ++row) {
        const void** slot = is_resolver(row) ? known_resolver(row) : &cudafault_targets[row];
        const void* real = slot ? known(row, load(*slot)) : nullptr;
        if (!real || last.holds(real) || find_object(real, last) || is_loaded(real)) continue;
        store(*slot, is_resolver(row) ? nullptr : slow_entry(row));
    }
}

uint64_t absent_answer(int row) {
    const Function& function = kFunctions[row];
    if (!function.returns_status) {  // the texts of errors must be texts
        return has_text(function_name(row), "Error") ? reinterpret_cast<uint64_t>("") : 0;
    }
    switch (function.api) {
        case Api::driver: return function_name(row) == Text("cuInit") ? 100 : 3;
        case Api::runtime: return 35;
        case Api::nvml: return 12;
        case Api::nccl: return 3;
    }
    return 0;
}

// Used up: the real function itself, so that the program works.
const void* spare_stub(int row, const void* found) {
    int spare = spare_with(row, found);
    if (spare < 0) {
        const uint64_t next = count_up(spares_used) - 1;
        if (next >= kSpares) {
            store(spares_used, uint64_t{kSpares});
            if (!__atomic_exchange_n(&spares_exhausted, true, __ATOMIC_RELAXED)) {
                complain("more functions are loaded twice than there are spare stubs; some cannot fail");
            }
            return found;
        }
        spare = static_cast<int>(next);
        store(spare_rows[spare], static_cast<int16_t>(row + 1));
        publish(cudafault_targets[kFunctionCount + spare], found);
    }
    return stub(kFunctionCount + spare);
}

const void* stub_for(int row, const void* found, bool inner) {
    const int number = stub_at(found);
    if (number >= 0) {  // one of ours already, as a libcudart hands it on
        const StubUse use = use_of_stub(number);
        if (use.target >= kFunctionCount) return found;
        row = use.row;
        return stub(inner ? kFirstInner + row : row);
    }
    const void** slot = real_slot(row);
    if (!slot) return found;
    const void* real = known(row, observe(*slot));
    if (real != found) {
        if (real && is_loaded(real)) return spare_stub(row, found);
        publish(*slot, found);
    }
    return stub(inner ? kFirstInner + row : row);
}

StubUse use_of_stub(int number) {
    if (number < kFunctionCount) return {number, number, false};
    if (number < kFirstInner) return {load(spare_rows[number - kFunctionCount]) - 1, number, false};
    return {number - kFirstInner, number - kFirstInner, true};
}

Resolved resolved_row(const void* address, Text symbol, unsigned version, bool per_thread) {
    LoadedObject object;
    const bool loaded = find_object(address, object);
    const auto is_at_address = [&](int row) {
        if (kFunctions[row].api != Api::driver) return false;
        return known(row, load(cudafault_targets[row])) == address ||
               (loaded && object.function(function_name(row)) == address);
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

bool is_in_cudart(const void* address) {
    LoadedObject object;
    return find_object(address, object) && starts_with(object.soname(), "libcudart");
}

int runtime_row(int first_row, const void* address) {
    LoadedObject object;
    return runtime_row(first_row, find_object(address, object) ? object.soname() : Text());
}

int runtime_row(int first_row, Text soname) {
    int row = first_row;
    for (; kFunctions[row].api == Api::runtime; ++row) {
        if (soname == Text(kRuntimeSonames[kFunctions[row].soname])) return row;
        if (row + 1 == kFunctionCount || function_name(row + 1) != function_name(first_row)) break;
    }
    return row;
}

}  // namespace cudafault
