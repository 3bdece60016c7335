// SPDX-License-Identifier: Apache-2.0
#include "preload/resolve/objects.hpp"

#include "fault/atomics.hpp"

extern r_debug _r_debug __attribute__((weak));             // defined by glibc
extern "C" r_debug* _dl_debug_addr __attribute__((weak));  // defined by musl

namespace cudafault {

namespace {

using Iterate = int (*)(int (*)(dl_phdr_info*, size_t, void*), void*);

constexpr const char* kLibcFiles[] = {"libc.so", "libc-", "ld-musl-"};

const link_map* libc_map;
Iterate libc_iterate;

const link_map* first_object() {
    if (&_r_debug && _r_debug.r_map) return _r_debug.r_map;
    return &_dl_debug_addr && _dl_debug_addr ? _dl_debug_addr->r_map : nullptr;
}

bool is_named_as_libc(const link_map& object) {
    const Text name = base_name_of(Text(object.l_name));
    for (const char* file : kLibcFiles) {
        if (starts_with(name, file)) return true;
    }
    return false;
}

// Takes no lock: libc is loaded at program start, and the objects loaded then are never unloaded.
void find_libc_once() {
    if (observe(libc_map)) return;
    for (const link_map* object = first_object(); object; object = object->l_next) {
        if (!is_named_as_libc(*object)) continue;
        const void* iterate = LoadedObject(*object).function("dl_iterate_phdr");
        if (!iterate) continue;
        store(libc_iterate, reinterpret_cast<Iterate>(const_cast<void*>(iterate)));
        publish(libc_map, object);
        return;
    }
}

}  // namespace

bool find_libc(LoadedObject& out) {
    find_libc_once();
    const link_map* object = observe(libc_map);
    if (object) out = LoadedObject(*object);
    return object != nullptr;
}

// The search ends at libc: objects loaded later may be unloaded by another thread.
const void* next_function(const ElfW(Dyn)* own, Text name) {
    find_libc_once();
    const link_map* libc = observe(libc_map);
    if (!libc) return nullptr;
    bool is_after_own = false;
    for (const link_map* object = first_object(); object && object != libc; object = object->l_next) {
        const void* found = is_after_own ? LoadedObject(*object).function(name) : nullptr;
        if (found) return found;
        is_after_own = is_after_own || object->l_ld == own;
    }
    return LoadedObject(*libc).function(name);
}

int iterate_objects(int (*visit)(dl_phdr_info*, size_t, void*), void* data) {
    find_libc_once();
    return observe(libc_map) ? load(libc_iterate)(visit, data) : 0;
}

bool find_object(const void* address, LoadedObject& out) {
    return any_object([&](const dl_phdr_info& info) {
        if (!LoadedObject::contains(info, address)) return false;
        out = LoadedObject(info);
        return true;
    });
}

LoadedObject object_at(const void* address) {
    LoadedObject object;
    find_object(address, object);
    return object;
}

bool is_data(const void* address, Text name) {
    LoadedObject object;
    const ElfW(Sym)* symbol = find_object(address, object) ? object.find(name) : nullptr;
    if (!symbol || object.address_of(*symbol) != address) return false;
    switch (ELF64_ST_TYPE(symbol->st_info)) {
        case STT_FUNC:
        case STT_GNU_IFUNC:
        case STT_NOTYPE: return false;  // functions in assembly may have no type
        default: return true;
    }
}

}  // namespace cudafault
