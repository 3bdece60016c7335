// SPDX-License-Identifier: Apache-2.0
#include "preload/surface/simulated.hpp"

#include "fault/functions.hpp"
#include "fault/message.hpp"
#include "preload/process/environment.hpp"
#include "preload/resolve/elf.hpp"

namespace cudafault {

namespace {

constexpr const char* kDriverLibraries[] = {kDriverSoname, kNvmlSoname};
constexpr int kDriverLibraryCount = 2;
constexpr size_t kLongestPath = 4096;

}  // namespace

const char* simulated_library(const char* file) {
    const Text path(file), name = base_name_of(path);
    if (name.size == path.size) return nullptr;  // no path: LD_LIBRARY_PATH selects the simulated library
    const char* folder = environment("CUDAFAULT_SIM_DIR");
    if (!folder || !*folder || starts_with(path, Text(folder))) return nullptr;
    for (int i = 0; i < kDriverLibraryCount; ++i) {
        const Text library(kDriverLibraries[i]);
        if (!starts_with(name, without_version(library))) continue;
        if (Text(folder).size + library.size + sizeof "/" > kLongestPath) continue;
        // Static, because libc reads the path after this function has returned. Every thread writes the same bytes.
        static char paths[kDriverLibraryCount][kLongestPath];
        Message message(paths[i]);
        message.add(folder);
        message.add("/");
        message.add(library);
        return paths[i];
    }
    return nullptr;
}

}  // namespace cudafault
