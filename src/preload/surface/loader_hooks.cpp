// SPDX-License-Identifier: Apache-2.0
// The dynamic linker's interface. What is not ours is a jump: libc reads its caller's return address.
#include <dlfcn.h>

#include "fault/message.hpp"
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

// The first row with that name, -1 for most names.
int row_of(const char* name) {
    if (!name || (name[0] != 'c' && name[0] != 'n' && name[0] != '_')) return -1;
    return find_function(Text(name));
}

// Fails with libc's words a look-up in the whole program that only this library's export made succeed.
Verdict fail_look_up(int row, const char* version) {
    char program[sizeof this_thread.failure / 2];
    const bool named = read_small_file("/proc/self/cmdline", program) > 0;
    Message message(this_thread.failure);
    message.add(named ? program : "<main program>");
    message.add(": undefined symbol: ");
    message.add(function_name(row));
    if (version) {
        message.add(", version ");
        message.add(version);
    }
    if (libc().dlerror) libc().dlerror();  // ours takes the place of an older one
    this_thread.failed_look_up = true;
    return give(nullptr);
}

// By name, not in a table: a table of addresses would need relocations.
const char* hook_named(Text name) {
    if (name == Text("dlsym")) return cudafault_dlsym;
    if (name == Text("dlvsym")) return cudafault_dlvsym;
    if (name == Text("dlopen")) return cudafault_dlopen;
    if (name == Text("dlmopen")) return cudafault_dlmopen;
    if (name == Text("dlclose")) return cudafault_dlclose;
    return name == Text("dlerror") ? cudafault_dlerror : nullptr;
}

// Whether the address lies in an object that the dynamic linker searches before this library.
bool stands_in_front(const void* address) {
    bool front = false;
    any_object([&](const dl_phdr_info& info) {
        front = LoadedObject::holds(info, address);
        return front || LoadedObject::holds(info, stub(0));
    });
    return front;
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

// Finds what the caller's own libraries define: those of a plugin are seen by its own look-ups alone.
const void* look_in_scope_of(const void* caller, const LookUp& look_up) {
    LoadedObject object;
    if (!find_object(caller, object) || object.file().empty()) return nullptr;
    void* handle = libc().dlopen(object.file().data, RTLD_LAZY | RTLD_NOLOAD);
    if (!handle) return nullptr;
    const void* found = unless_ours(find(look_up, handle, libc()));
    libc().dlclose(handle);
    return found;
}

// What libc would have answered without this library, where its answer is a stub.
const void* answer_without_us(const LookUp& look_up) {
    const void* found = unless_ours(find(look_up, RTLD_NEXT, libc()));
    return found || look_up.handle != RTLD_DEFAULT ? found : look_in_scope_of(look_up.caller, look_up);
}

// What another interposer's dlsym answered: a function that it exports, and its own reference to that leads to our
// stub.
const void* answer_of_interposer(int row, const void* answer) {
    const char* version = kFunctions[row].api == Api::runtime ? kRuntimeSonames[kFunctions[row].soname] : nullptr;
    const LookUp exported = {RTLD_NEXT, function_name(row).data, version, nullptr};
    const void* found = unless_ours(find(exported, RTLD_NEXT, libc()));
    return found ? found : answer;
}

Verdict substitute(int row, const LookUp& look_up) {
    const ErrnoKept kept;
    const void* found = find(look_up, look_up.handle, next_in_chain());
    if (!found || (is_disabled() && !is_ours(found))) return give(found);
    const bool inner = is_in_library(Api::runtime, look_up.caller);
    if (const int number = stub_at(found); number >= 0) {
        const bool of_libc = find(look_up, look_up.handle, libc()) == found;
        found = of_libc ? answer_without_us(look_up) : answer_of_interposer(use_of_stub(number).row, found);
        if (!found) return fail_look_up(row, look_up.version);
        if (!of_libc) row = use_of_stub(number).row;
    }
    // A call inside a library (a driver in two stages, a forwarder) is part of the call that entered the library.
    if (is_data(found, Text(look_up.name)) || is_in_library(kFunctions[row].api, look_up.caller)) return give(found);
    if (kFunctions[row].api == Api::runtime) {
        row = look_up.version ? runtime_row(row, Text(look_up.version)) : runtime_row(row, found);
    }
    own_real_function(row);  // the row's own stub leads to what a linked program would reach
    if (libc().dlerror) libc().dlerror();
    return give(stub_for(row, found, inner));
}

// The library's own hook for a caller that stands in front of it, which asked for the next dlsym by libc's version.
// libc passes over exports without a version, so another interposer would leave this library out. nullptr: not such a
// call.
const void* own_hook_for(const LookUp& look_up) {
    if (look_up.handle != RTLD_NEXT || !look_up.version || !look_up.name || !is_glibc()) return nullptr;
    const char* hook = hook_named(look_up.name);
    return hook && stands_in_front(look_up.caller) ? hook : nullptr;
}

Verdict on_look_up(LoaderHook hook, const LookUp& look_up) {
    const void* real = next_function(hook);
    if (!real) return give(nullptr);  // before glibc 2.34, where libdl is not loaded
    this_thread.failed_look_up = false;
    if (const void* own_hook = own_hook_for(look_up)) return give(own_hook);
    const int row = look_up.handle == RTLD_NEXT || !is_glibc() ? -1 : row_of(look_up.name);
    return row < 0 ? jump_to(real) : substitute(row, look_up);
}

// The arguments may be changed; the call itself is libc's.
Verdict on_open(LoaderHook hook, Frame& frame) {
    const void* real = next_function(hook);
    if (!real) return give(nullptr);
    this_thread.failed_look_up = false;
    const int file = hook == kDlmopen ? 1 : 0, flags = file + 1;
    const char* name = pointer_argument<const char>(frame, file);
    if (!is_glibc() || !name || is_disabled()) return jump_to(real);
    if (const char* simulated = simulated_library(name)) {
        frame.arguments[file] = reinterpret_cast<uint64_t>(simulated);
    } else if ((frame.arguments[flags] & RTLD_DEEPBIND) && must_lose_deepbind(name)) {
        frame.arguments[flags] &= ~uint64_t{RTLD_DEEPBIND};
    }
    return jump_to(real);
}

// Not a jump, for there is something to do afterwards; this function does not look at its caller.
Verdict on_close(void* handle) {
    const LibcFunctions& next = next_in_chain();
    if (!next.dlclose) return give(uint64_t{0});
    this_thread.failed_look_up = false;
    const int status = next.dlclose(handle);
    if (is_ready()) forget_unloaded();
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
