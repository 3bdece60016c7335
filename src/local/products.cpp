// SPDX-License-Identifier: Apache-2.0
#include "local/products.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>

#include "fault/functions.hpp"
#include "local/error.hpp"

namespace cudafault::local {

namespace {

namespace fs = std::filesystem;

fs::path own_library() {
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    return program.parent_path().parent_path() / "lib" / "libcudafault.so";
}

void require(const fs::path& file, const char* remedy) {
    if (file.string().size() >= PATH_MAX) {
        throw Error(kEnvironment,
                    fmt::format("\"{}\" is longer than the {} characters that a path can have, so nothing was "
                                "started: install cudafault in a folder with a shorter path",
                                file.string(), PATH_MAX - 1));
    }
    if (access(file.c_str(), R_OK) != 0) {
        throw Error(kEnvironment, fmt::format("\"{}\" is missing, so nothing was started: {}", file.string(), remedy));
    }
}

// Refuses a path with a special character: LD_PRELOAD and LD_LIBRARY_PATH are split at some characters, and $ORIGIN,
// $LIB and $PLATFORM are expanded in them.
void require_loadable(const std::string& path) {
    const size_t special = path.find_first_of(":; \t\n$");
    if (special == std::string::npos) return;
    const std::string name = path[special] == ' ' ? "space" : fmt::format("'{}'", path[special]);
    throw Error(
        kEnvironment,
        fmt::format(
            "\"{}\" cannot be preloaded, because it contains a {}, which has a special meaning in LD_PRELOAD or "
            "LD_LIBRARY_PATH: install cudafault in another folder, or set CUDAFAULT_LIBRARY",
            path, name));
}

}  // namespace

Products find_products(bool simulated) {
    const char* chosen = std::getenv("CUDAFAULT_LIBRARY");
    Products found;
    found.library = chosen && *chosen ? fs::absolute(chosen) : own_library();
    found.simgpu = found.library.parent_path() / "simgpu";
    require(found.library, "build or install cudafault, or set CUDAFAULT_LIBRARY to the path of the library");
    require_loadable(found.library.string());
    if (!simulated) return found;
    const char* remedy = "build or install the simulated GPUs beside libcudafault.so";
    for (const char* name : {kDriverSoname, kNvmlSoname}) require(found.simgpu / name, remedy);
    require(device_files(found.simgpu), remedy);
    for (const std::string& runtime : simulated_runtimes(found.simgpu)) require(runtime, remedy);
    return found;
}

fs::path device_files(const fs::path& simgpu) { return simgpu / "libdevicefiles.so"; }

std::vector<std::string> simulated_runtimes(const fs::path& simgpu) {
    std::vector<std::string> paths;
    for (const char* soname : kRuntimeSonames) paths.push_back(simgpu / soname);
    return paths;
}

}  // namespace cudafault::local
