// SPDX-License-Identifier: Apache-2.0
// Finds the objects that the dynamic linker has loaded. Finds libc and its dl_iterate_phdr through the linker's list of
// objects (r_debug), because the linker could bind an import to a function of the program that is not initialized yet,
// such as a function of a sanitizer's runtime.
#pragma once

#include "preload/resolve/elf.hpp"

namespace cudafault {

// Finds libc. Returns false if libc is not in the dynamic linker's list yet. Takes no lock.
bool find_libc(LoadedObject& out);

// Returns the first definition of a function after the object with the dynamic section `own` in the search order, or
// nullptr. Does not use dlsym(RTLD_NEXT): if the program defines its own dlsym, libc's dlsym searches after the object
// that contains that definition. Takes no lock.
const void* next_function(const ElfW(Dyn)* own, Text name);

// Calls libc's dl_iterate_phdr, which takes the dynamic linker's lock. If libc is not found, returns 0 without calling
// it.
int iterate_objects(int (*visit)(dl_phdr_info* info, size_t size, void* data), void* data);

// Calls visit(dl_phdr_info) for each object of the base namespace until a call returns true. Returns true if any call
// returned true.
template <typename Visit>
bool any_object(Visit visit) {
    const auto callback = [](dl_phdr_info* info, size_t, void* visitor) -> int {
        return (*static_cast<Visit*>(visitor))(*info);
    };
    return iterate_objects(callback, &visit) != 0;
}

// Finds the object of the base namespace that contains the address. Returns false if no object contains the address.
bool find_object(const void* address, LoadedObject& out);

// Returns the object that find_object finds, or an object without a name and symbols if no object contains the address.
LoadedObject object_at(const void* address);

// Returns true if the address is that of a data object named `name`. A program may define a variable named cuInit.
bool is_data(const void* address, Text name);

}  // namespace cudafault
