// SPDX-License-Identifier: Apache-2.0
#include "preload/surface/deepbind.hpp"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "fault/text_builder.hpp"
#include "os/system_call.hpp"
#include "preload/process/environment.hpp"
#include "preload/resolve/elf.hpp"

namespace cudafault {

namespace {

constexpr const char* kMentions[] = {"libcuda", "libnvidia-ml", "libnccl", "cuGetProcAddress"};
constexpr size_t kLongestMention = 16;
constexpr size_t kWindow = 256 << 10;

#if defined(__x86_64__)
constexpr const char* kSystemDirectories =
    "/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:/lib64:/usr/lib64:/lib:/usr/lib";
#else
constexpr const char* kSystemDirectories =
    "/lib/aarch64-linux-gnu:/usr/lib/aarch64-linux-gnu:/lib64:/usr/lib64:/lib:/usr/lib";
#endif

bool starts_with_mention(Text text) {
    for (const char* mention : kMentions) {
        if (starts_with(text, mention)) return true;
    }
    return false;
}

bool mentions_cuda(Text text) {
    for (size_t at = 0; at < text.size; ++at) {
        if ((text[at] == 'l' || text[at] == 'c') && starts_with_mention(text.from(at))) return true;
    }
    return false;
}

// Reads the file instead of mapping it, because a mapped file that is truncated during the search raises SIGBUS.
bool file_mentions_cuda(int file) {
    const long mapped = system_call(SYS_mmap, 0, kWindow, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped < 0 && mapped > -4096) return false;
    char* window = reinterpret_cast<char*>(mapped);
    size_t kept = 0;  // bytes kept from the previous window, because a name may cross the boundary
    bool found = false;
    for (long got; !found && (got = read_file(file, window + kept, kWindow - kept)) > 0;) {
        const size_t size = kept + static_cast<size_t>(got);
        found = mentions_cuda(Text(window, size));
        kept = size < kLongestMention ? size : kLongestMention;
        memmove(window, window + size - kept, kept);
    }
    system_call(SYS_munmap, mapped, kWindow);
    return found;
}

int open_in(Text directories, const char* file) {
    while (!directories.empty()) {
        size_t end = 0;
        while (end < directories.size && directories[end] != ':') ++end;
        char path[4096];
        TextBuilder builder(path);
        builder.add(directories.first(end));
        builder.add("/");
        builder.add(file);
        const int opened = open_file(path, O_RDONLY | O_CLOEXEC);
        if (opened >= 0) return opened;
        directories = directories.from(end < directories.size ? end + 1 : end);
    }
    return -1;
}

// Searches the same directories as the dynamic linker, except for the caller's RUNPATH and the linker's cache, which
// are not available here.
int open_library(const char* file) {
    if (base_name_of(Text(file)).size < Text(file).size) return open_file(file, O_RDONLY | O_CLOEXEC);
    const int opened = open_in(Text(environment("LD_LIBRARY_PATH")), file);
    return opened >= 0 ? opened : open_in(Text(kSystemDirectories), file);
}

}  // namespace

bool must_clear_deepbind(const char* file) {
    const char* setting = environment("CUDAFAULT_DEEPBIND");
    if (setting && Text(setting) == Text("keep")) return false;
    const int opened = open_library(file);
    if (opened < 0) return false;
    const bool found = file_mentions_cuda(opened);
    close_file(opened);
    return found;
}

}  // namespace cudafault
