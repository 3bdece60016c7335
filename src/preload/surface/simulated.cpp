// SPDX-License-Identifier: Apache-2.0
#include "preload/surface/simulated.hpp"

#include "fault/functions.hpp"
#include "fault/text_builder.hpp"
#include "os/system_call.hpp"
#include "preload/process/environment.hpp"
#include "preload/resolve/elf.hpp"

namespace cudafault {

namespace {

constexpr const char* kDriverLibraries[] = {kDriverSoname, kNvmlSoname};
constexpr int kDriverLibraryCount = 2;
constexpr int kLibraryCount = kDriverLibraryCount + kRuntimeSonameCount;
constexpr size_t kLongestPath = 4096;

const char* library_at(int i) {
    return i < kDriverLibraryCount ? kDriverLibraries[i] : kRuntimeSonames[i - kDriverLibraryCount];
}

// Returns the part of the soname that identifies a library: libcuda.so without a version, because every version of the
// driver library is replaced, but libcudart.so.12 with its major version.
Text identifying_part(int i) {
    const Text soname(library_at(i)), name = without_version(soname);
    return i < kDriverLibraryCount ? name : soname.first(name.size + Text(".12").size);
}

// Returns true if the name is the prefix, or continues with a dot, as in libcudart.so.12.9.79.
bool is_version_of(Text name, Text prefix) {
    return starts_with(name, prefix) && (name.size == prefix.size || name[prefix.size] == '.');
}

// Returns the number of the library with that file name, or -1.
int find_library(Text name) {
    for (int i = 0; i < kLibraryCount; ++i) {
        if (is_version_of(name, identifying_part(i))) return i;
    }
    return -1;
}

// Returns the number of the libcudart that an unversioned name selects: the version to which the symbolic link points,
// the newest version for a name without a path, or -1.
int find_unversioned_runtime(const char* file) {
    if (base_name_of(file).size == Text(file).size) return kLibraryCount - 1;
    char target[kLongestPath];
    const long size =
        system_call(SYS_readlinkat, kAtCwd, address_of(file), address_of(target), static_cast<long>(sizeof target));
    return size > 0 ? find_library(base_name_of({target, static_cast<size_t>(size)})) : -1;
}

}  // namespace

const char* simulated_library(const char* file) {
    const Text name = base_name_of(file);
    const bool is_unversioned_runtime = name == without_version(kRuntimeSonames[0]);
    const int number = is_unversioned_runtime ? find_unversioned_runtime(file) : find_library(name);
    if (number < 0) return nullptr;
    const char* folder = environment("CUDAFAULT_SIM_DIR");
    if (!folder || !*folder || starts_with(file, Text(folder))) return nullptr;
    const Text library(library_at(number));
    if (Text(folder).size + library.size + sizeof "/" > kLongestPath) return nullptr;
    // Static, because libc reads the path after this function has returned. Every thread writes the same bytes.
    static char paths[kLibraryCount][kLongestPath];
    TextBuilder builder(paths[number]);
    builder.add(folder);
    builder.add("/");
    builder.add(library);
    return paths[number];
}

}  // namespace cudafault
