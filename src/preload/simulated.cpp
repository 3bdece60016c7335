// SPDX-License-Identifier: Apache-2.0
#include "preload/simulated.hpp"

#include "fault/message.hpp"
#include "preload/elf.hpp"
#include "preload/libc.hpp"
#include "preload/thread.hpp"

namespace cudafault {

namespace {

constexpr const char* kDriverLibraries[] = {"libcuda.so", "libnvidia-ml.so"};

}  // namespace

const char* simulated_library(const char* file) {
    const Text path(file), name = base_name_of(path);
    if (name.size == path.size) return nullptr;  // LD_LIBRARY_PATH decides
    const char* folder = environment("CUDAFAULT_SIM_DIR");
    if (!folder || !*folder || starts_with(path, Text(folder))) return nullptr;
    for (const char* library : kDriverLibraries) {
        if (!starts_with(name, library)) continue;
        Message message(this_thread.path);
        message.add(folder);
        message.add("/");
        message.add(library);
        message.add(".1");
        return this_thread.path;
    }
    return nullptr;
}

}  // namespace cudafault
