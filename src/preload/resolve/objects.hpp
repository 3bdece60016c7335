// SPDX-License-Identifier: Apache-2.0
// The objects that the dynamic linker has loaded. libc and its dl_iterate_phdr are found through the linker's own list:
// an import could be bound to a function of the program (a sanitizer's runtime, a cache) that is not ready yet.
#pragma once

#include "preload/resolve/elf.hpp"

namespace cudafault {

// libc as the dynamic linker loaded it; false: not known yet.
bool find_libc(LoadedObject& out);

// libc's own dl_iterate_phdr; 0 while libc is not known.
int iterate_objects(int (*visit)(dl_phdr_info* info, size_t size, void* data), void* data);

// Calls visit(dl_phdr_info) for each object of the base namespace until it returns true.
template <typename Visit>
bool any_object(Visit visit) {
    const auto callback = [](dl_phdr_info* info, size_t, void* visit_it) -> int {
        return (*static_cast<Visit*>(visit_it))(*info);
    };
    return iterate_objects(callback, &visit) != 0;
}

// The object of the base namespace that holds the address; false: none.
bool find_object(const void* address, LoadedObject& out);

// Whether the address is that of a data object called `name`: a program's own variable may be called cuInit.
bool is_data(const void* address, Text name);

}  // namespace cudafault
