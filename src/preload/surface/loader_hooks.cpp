// SPDX-License-Identifier: Apache-2.0
// Implements the overrides of the dynamic linker's functions. A call that needs no change jumps to the next function,
// because libc identifies its caller by the return address.
#include <dlfcn.h>

#include "fault/text_builder.hpp"
#include "preload/process/procfs.hpp"
#include "preload/process/start.hpp"
#include "preload/process/state.hpp"
#include "preload/process/thread.hpp"
#include "preload/resolve/function_rows.hpp"
#include "preload/resolve/libc.hpp"
#include "preload/resolve/objects.hpp"
#include "preload/resolve/real.hpp"
#include "preload/surface/deepbind.hpp"
#include "preload/surface/hooks.hpp"
#include "preload/surface/simulated.hpp"

extern "C" {
extern const char cudafault_dlsym[] __attribute__((visibility("hidden")));
extern const char cudafault_dlvsym[] __attribute__((visibility("hidden")));
extern const char cudafault_dlopen[] __attribute__((visibility("hidden")));
extern const char cudafault_dlmopen[] __attribute__((visibility("hidden")));
extern const char cudafault_dlclose[] __attribute__((visibility("hidden")));
extern const char cudafault_dlerror[] __attribute__((visibility("hidden")));
}

namespace cudafault {

namespace {

const void* next_function(LoaderHook hook) {
    const LibcFunctions& functions = next_in_chain();
    switch (hook) {
        case kDlsym: return reinterpret_cast<const void*>(functions.dlsym);
        case kDlvsym: return reinterpret_cast<const void*>(functions.dlvsym);
        case kDlopen: return reinterpret_cast<const void*>(functions.dlopen);
        case kDlmopen: return reinterpret_cast<const void*>(functions.dlmopen);
        case kDlclose: return reinterpret_cast<const void*>(functions.dlclose);
        default: return reinterpret_cast<const void*>(functions.dlerror);
    }
}

// Returns the first row with this name, or -1. Rejects most names by their first character.
int row_of(const char* name) {
    if (!name || (name[0] != 'c' && name[0] != 'n' && name[0] != '_')) return -1;
    return find_function(Text(name));
}

// Makes a lookup that found only this library's export fail, with the error message that libc would produce.
Verdict fail_look_up(int row, const char* version) {
    char program[sizeof this_thread.failure / 2];
    const bool named = read_small_file("/proc/self/cmdline", program) > 0;
    TextBuilder message(this_thread.failure);
    message.add(named ? program : "<main program>");
    message.add(": undefined symbol: ");
    message.add(function_name(row));
    if (version) {
        message.add(", version ");
        message.add(version);
    }
    if (libc().dlerror) libc().dlerror();  // clears an older error
    this_thread.failed_look_up = true;
    return give(nullptr);
}

// Compares the names one by one, because a table of addresses would need relocations.
const char* hook_named(Text name) {
    if (name == Text("dlsym")) return cudafault_dlsym;
    if (name == Text("dlvsym")) return cudafault_dlvsym;
    if (name == Text("dlopen")) return cudafault_dlopen;
    if (name == Text("dlmopen")) return cudafault_dlmopen;
    if (name == Text("dlclose")) return cudafault_dlclose;
    return name == Text("dlerror") ? cudafault_dlerror : nullptr;
}

// Returns true if the address lies in an object that the dynamic linker searches before this library.
bool is_in_earlier_object(const void* address) {
    bool is_earlier = false;
    any_object([&](const dl_phdr_info& info) {
        is_earlier = LoadedObject::contains(info, address);
        return is_earlier || LoadedObject::contains(info, stub(0));
    });
    return is_earlier;
}

struct LookUp {
    void* handle;
    const char* name;
    const char* version;  // nullptr for dlsym
    const void* caller;
};

void* find(const LookUp& look_up, void* handle, const LibcFunctions& functions) {
    return look_up.version ? functions.dlvsym(handle, look_up.name, look_up.version)
                           : functions.dlsym(handle, look_up.name);
}

// Looks up a symbol in the caller's object and its dependencies. The dependencies of a plugin are visible only to
// lookups from that plugin.
const void* find_in_scope_of(const LoadedObject& caller, const LookUp& look_up) {
    if (caller.file().empty()) return nullptr;
    void* handle = libc().dlopen(caller.file().data, RTLD_LAZY | RTLD_NOLOAD);
    if (!handle) return nullptr;
    const void* found = outside_this_library(find(look_up, handle, libc()));
    libc().dlclose(handle);
    return found;
}

// Returns what libc's lookup would return without this library. Used if libc's result is a stub.
const void* find_without_library(const LookUp& look_up, const LoadedObject& caller) {
    const void* found = outside_this_library(find(look_up, RTLD_NEXT, libc()));
    return found || look_up.handle != RTLD_DEFAULT ? found : find_in_scope_of(caller, look_up);
}

// Another interposer's dlsym returns a stub if the interposer returns one of its exported functions and its reference
// to that function is bound to the stub. Returns the exported function, or `stub_address` if that function is not
// found.
const void* find_behind_interposer(int row, const void* stub_address) {
    const char* version = kFunctions[row].api == Api::runtime ? kRuntimeSonames[kFunctions[row].soname] : nullptr;
    const LookUp exported = {RTLD_NEXT, function_name(row).data, version, nullptr};
    const void* found = outside_this_library(find(exported, RTLD_NEXT, libc()));
    return found ? found : stub_address;
}

Verdict substitute(int row, const LookUp& look_up) {
    const ErrnoGuard errno_guard;
    const void* found = find(look_up, look_up.handle, next_in_chain());
    if (!found || (is_disabled() && !is_in_this_library(found))) return give(found);
    const LoadedObject caller = object_at(look_up.caller);
    if (const int number = stub_at(found); number >= 0) {
        const bool of_libc = find(look_up, look_up.handle, libc()) == found;
        found =
            of_libc ? find_without_library(look_up, caller) : find_behind_interposer(use_of_stub(number).row, found);
        if (!found) return fail_look_up(row, look_up.version);
        if (!of_libc) row = use_of_stub(number).row;
    }
    // A call inside a library, such as a two-stage driver or a forwarder, is part of the call that entered the library
    // (D-104).
    if (is_data(found, Text(look_up.name)) || is_library_of(kFunctions[row].api, caller)) return give(found);
    if (kFunctions[row].api == Api::runtime) {
        row = look_up.version ? runtime_row(row, Text(look_up.version)) : runtime_row(row, found);
    }
    // Stores the function that a linked program would call, before stub_for can store another.
    resolve_real_function(row);
    if (libc().dlerror) libc().dlerror();
    return give(stub_for(row, found, is_library_of(Api::runtime, caller)));
}

// Returns the library's own hook if an object that is searched before this library looks up the next dlsym, or another
// hooked function, with libc's symbol version. libc skips exports without a version, so without this hook the
// interposer would bypass this library. Returns nullptr for other lookups.
const void* own_hook_for(const LookUp& look_up) {
    if (look_up.handle != RTLD_NEXT || !look_up.version || !look_up.name || !is_glibc()) return nullptr;
    const char* hook = hook_named(look_up.name);
    return hook && is_in_earlier_object(look_up.caller) ? hook : nullptr;
}

Verdict on_look_up(LoaderHook hook, const LookUp& look_up) {
    const void* real = next_function(hook);
    if (!real) return give(nullptr);  // before glibc 2.34, if libdl is not loaded
    this_thread.failed_look_up = false;
    if (const void* own_hook = own_hook_for(look_up)) return give(own_hook);
    const int row = look_up.handle == RTLD_NEXT || !is_glibc() ? -1 : row_of(look_up.name);
    return row < 0 ? jump_to(real) : substitute(row, look_up);
}

// May change the arguments before the call jumps to the next dlopen or dlmopen.
Verdict on_open(LoaderHook hook, Frame& frame) {
    const void* real = next_function(hook);
    if (!real) return give(nullptr);
    this_thread.failed_look_up = false;
    const int file = hook == kDlmopen ? 1 : 0, flags = file + 1;
    const char* name = pointer_argument<const char>(frame, file);
    if (!is_glibc() || !name || is_disabled()) return jump_to(real);
    if (const char* simulated = simulated_library(name)) {
        frame.arguments[file] = reinterpret_cast<uint64_t>(simulated);
    } else if ((frame.arguments[flags] & RTLD_DEEPBIND) && must_clear_deepbind(name)) {
        frame.arguments[flags] &= ~uint64_t{RTLD_DEEPBIND};
    }
    return jump_to(real);
}

// Calls the next dlclose instead of jumping to it, because the real functions must be checked afterwards. dlclose does
// not depend on its caller (D-001).
Verdict on_close(void* handle) {
    const LibcFunctions& next = next_in_chain();
    if (!next.dlclose) return give(uint64_t{0});
    this_thread.failed_look_up = false;
    const int status = next.dlclose(handle);
    if (is_ready()) remove_unloaded();
    return give_status(status);
}

Verdict on_error() {
    if (this_thread.failed_look_up) {
        this_thread.failed_look_up = false;
        return give(this_thread.failure);
    }
    const void* real = next_function(kDlerror);
    return real ? jump_to(real) : give(nullptr);
}

}  // namespace

Verdict on_loader_call(LoaderHook hook, Frame& frame) {
    const auto handle = pointer_argument<void>(frame, 0);
    const auto name = pointer_argument<const char>(frame, 1);
    switch (hook) {
        case kDlsym: return on_look_up(hook, {handle, name, nullptr, frame.caller});
        case kDlvsym: return on_look_up(hook, {handle, name, pointer_argument<const char>(frame, 2), frame.caller});
        case kDlclose: return on_close(handle);
        case kDlerror: return on_error();
        default: return on_open(hook, frame);
    }
}

}  // namespace cudafault
