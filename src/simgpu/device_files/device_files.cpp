// SPDX-License-Identifier: Apache-2.0
// Implements libdevicefiles.so, which makes the device files of simulated GPUs appear to exist. Some programs, such as
// JAX, test for /dev/nvidia0 or /dev/nvidiactl before they call CUDA. Creating those files would require root.
//
// Only simulated runs preload this library; programs on real GPUs never load it. Its functions replace the path of such
// a file with /dev/null, which is a character device too (D-132), and call the next definition of the function.
// Directory listings do not show the files. CUDAFAULT_SIM_DEVICE_FILES is the number of GPUs; 0 disables the library.
//
// A program may call these functions before any constructor has run, and from its own definitions of libc functions.
// The library therefore does not import libc's functions, and reads the environment itself.
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <initializer_list>

#include "fault/atomics.hpp"
#include "fault/text.hpp"
#include "preload/resolve/objects.hpp"

using cudafault::Text;

namespace {

constexpr Text kFolder = "/dev/";
constexpr const char* kControlFiles[] = {"nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset"};
constexpr Text kGpuFile = "nvidia";
constexpr Text kCountVariable = "CUDAFAULT_SIM_DEVICE_FILES=";
constexpr long kMaxGpus = 64;

// Parses the whole text as a number. Returns -1 if the text is invalid.
long number_of(Text text) {
    if (text.empty() || (text[0] == '0' && text.size > 1)) return -1;
    long number = 0;
    for (size_t i = 0; i < text.size; ++i) {
        if (text[i] < '0' || text[i] > '9' || number > kMaxGpus) return -1;
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

long count_in_environment() {
    for (char** variable = environ; *variable; ++variable) {
        const Text text = *variable;
        if (cudafault::starts_with(text, kCountVariable)) return number_of(text.from(kCountVariable.size));
    }
    return 0;
}

// Returns the number of GPUs that have device files. The number does not change after the first call, so that a program
// that changes its environment keeps the files.
long gpu_count() {
    constexpr long kUnknown = -2;
    static long count = kUnknown;
    if (cudafault::load(count) == kUnknown) {
        if (!environ) return 0;  // libc is not initialized yet
        cudafault::store(count, count_in_environment());
    }
    return cudafault::load(count);
}

// Removes the separators at the start of a path, and components that are a single dot.
Text skip_separators(Text path) {
    while (cudafault::starts_with(path, "/")) {
        path = path.from(1);
        if (cudafault::starts_with(path, "./")) path = path.from(1);
    }
    return path;
}

// Returns the part of an absolute path after /dev/, or an empty text if the path does not start with /dev/.
Text file_in_folder(Text path) {
    constexpr Text kName = "dev", kSeparator = "/";
    if (!cudafault::starts_with(path, kSeparator)) return {};
    const Text relative = skip_separators(path);
    if (!cudafault::starts_with(relative, kName)) return {};
    const Text file = relative.from(kName.size);
    return cudafault::starts_with(file, kSeparator) ? skip_separators(file) : Text();
}

bool is_device_file(const char* path) {
    const Text file = file_in_folder(path);
    if (!cudafault::starts_with(file, kGpuFile)) return false;
    for (const char* control_file : kControlFiles) {
        if (file == control_file) return gpu_count() > 0;
    }
    const long gpu = number_of(file.from(kGpuFile.size));
    return gpu >= 0 && gpu < gpu_count();
}

const char* substitute(const char* path) { return is_device_file(path) ? "/dev/null" : path; }

// Finds the next definition of a function, in the C library or in another library. Callers make a system call if no
// definition is found.
template <typename Signature>
class Next {
public:
    constexpr explicit Next(Text name) : name_(name) {}

    // Returns nullptr if no definition is found.
    Signature* find() {
        if (!cudafault::load(function_)) cudafault::store(function_, search());
        return cudafault::load(function_);
    }

private:
    Signature* search() const {
        const void* found = cudafault::next_function(_DYNAMIC, name_);
        // musl 1.2.4 and newer bind names that end with 64 to the functions without the suffix.
        if (!found && is_64_bit_name()) found = cudafault::next_function(_DYNAMIC, name_.first(name_.size - 2));
        return reinterpret_cast<Signature*>(const_cast<void*>(found));
    }
    bool is_64_bit_name() const { return name_.size > 2 && name_.from(name_.size - 2) == "64"; }

    const Text name_;
    Signature* function_ = nullptr;
};

bool has_mode(int flags) { return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE; }

int system_open(int folder, const char* path, int flags, int mode) {
    return static_cast<int>(syscall(SYS_openat, folder, path, flags, mode));
}

int system_stat(int folder, const char* path, void* status, int flags) {
    return static_cast<int>(syscall(SYS_newfstatat, folder, path, status, flags));
}

int system_access(int folder, const char* path, int mode) {
    return static_cast<int>(syscall(SYS_faccessat, folder, path, mode));
}

// Copies the canonical path of a device file to `out` and returns `out`. If `out` is nullptr, copies it to new memory,
// which the caller frees. Returns nullptr if no memory is available.
char* copy_canonical(Text path, char* out) {
    const Text file = file_in_folder(path);
    if (!out) out = static_cast<char*>(malloc(kFolder.size + file.size + 1));
    if (!out) return nullptr;
    char* end = out;
    for (const Text part : {kFolder, file}) {
        for (size_t i = 0; i < part.size; ++i) *end++ = part[i];
    }
    *end = '\0';
    return out;
}

std::nullptr_t not_found() {
    errno = ENOSYS;
    return nullptr;
}

}  // namespace

// Defines a function of the C library under its own name; next_NAME is the next definition.
#define INTERPOSE(result, name, ...)                                                                          \
    static Next<result(__VA_ARGS__)> next_##name(#name);                                                      \
    extern "C" __attribute__((visibility("default"))) result device_files_##name(__VA_ARGS__) __asm__(#name); \
    result device_files_##name(__VA_ARGS__)

// On 64-bit machines a function whose name ends with 64 is identical to the one without the suffix.
#define INTERPOSE_OPEN(name)                                                                                      \
    INTERPOSE(int, name, const char* path, int flags, ...) {                                                      \
        va_list arguments;                                                                                        \
        va_start(arguments, flags);                                                                               \
        const int mode = has_mode(flags) ? va_arg(arguments, int) : 0;                                            \
        va_end(arguments);                                                                                        \
        const auto next = next_##name.find();                                                                     \
        return next ? next(substitute(path), flags, mode) : system_open(AT_FDCWD, substitute(path), flags, mode); \
    }
#define INTERPOSE_OPENAT(name)                                            \
    INTERPOSE(int, name, int folder, const char* path, int flags, ...) {  \
        va_list arguments;                                                \
        va_start(arguments, flags);                                       \
        const int mode = has_mode(flags) ? va_arg(arguments, int) : 0;    \
        va_end(arguments);                                                \
        const auto next = next_##name.find();                             \
        return next ? next(folder, substitute(path), flags, mode)         \
                    : system_open(folder, substitute(path), flags, mode); \
    }
// Programs built with _FORTIFY_SOURCE call these functions to open a file without a mode.
#define INTERPOSE_OPEN_2(name)                                                                           \
    INTERPOSE(int, name, const char* path, int flags) {                                                  \
        const auto next = next_##name.find();                                                            \
        return next ? next(substitute(path), flags) : system_open(AT_FDCWD, substitute(path), flags, 0); \
    }
#define INTERPOSE_OPENAT_2(name)                                                                               \
    INTERPOSE(int, name, int folder, const char* path, int flags) {                                            \
        const auto next = next_##name.find();                                                                  \
        return next ? next(folder, substitute(path), flags) : system_open(folder, substitute(path), flags, 0); \
    }
#define INTERPOSE_CREAT(name)                                                                                        \
    INTERPOSE(int, name, const char* path, unsigned mode) {                                                          \
        const auto next = next_##name.find();                                                                        \
        return next ? next(substitute(path), mode)                                                                   \
                    : system_open(AT_FDCWD, substitute(path), O_CREAT | O_WRONLY | O_TRUNC, static_cast<int>(mode)); \
    }
// No system call creates a stream or allocates a resolved path.
#define INTERPOSE_FOPEN(name)                                     \
    INTERPOSE(FILE*, name, const char* path, const char* mode) {  \
        const auto next = next_##name.find();                     \
        return next ? next(substitute(path), mode) : not_found(); \
    }
#define INTERPOSE_FREOPEN(name)                                                \
    INTERPOSE(FILE*, name, const char* path, const char* mode, FILE* stream) { \
        const auto next = next_##name.find();                                  \
        return next ? next(substitute(path), mode, stream) : not_found();      \
    }
#define INTERPOSE_STAT(name, flags)                                                                            \
    INTERPOSE(int, name, const char* path, void* status) {                                                     \
        const auto next = next_##name.find();                                                                  \
        return next ? next(substitute(path), status) : system_stat(AT_FDCWD, substitute(path), status, flags); \
    }
#define INTERPOSE_FSTATAT(name)                                                   \
    INTERPOSE(int, name, int folder, const char* path, void* status, int flags) { \
        const auto next = next_##name.find();                                     \
        return next ? next(folder, substitute(path), status, flags)               \
                    : system_stat(folder, substitute(path), status, flags);       \
    }
// Programs built with a glibc older than 2.33 call these functions.
#define INTERPOSE_XSTAT(name, flags)                                          \
    INTERPOSE(int, name, int version, const char* path, void* status) {       \
        const auto next = next_##name.find();                                 \
        return next ? next(version, substitute(path), status)                 \
                    : system_stat(AT_FDCWD, substitute(path), status, flags); \
    }
#define INTERPOSE_FXSTATAT(name)                                                               \
    INTERPOSE(int, name, int version, int folder, const char* path, void* status, int flags) { \
        const auto next = next_##name.find();                                                  \
        return next ? next(version, folder, substitute(path), status, flags)                   \
                    : system_stat(folder, substitute(path), status, flags);                    \
    }
#define INTERPOSE_ACCESS(name)                                                                        \
    INTERPOSE(int, name, const char* path, int mode) {                                                \
        const auto next = next_##name.find();                                                         \
        return next ? next(substitute(path), mode) : system_access(AT_FDCWD, substitute(path), mode); \
    }

INTERPOSE_OPEN(open)
INTERPOSE_OPEN(open64)
INTERPOSE_OPENAT(openat)
INTERPOSE_OPENAT(openat64)
INTERPOSE_OPEN_2(__open_2)
INTERPOSE_OPEN_2(__open64_2)
INTERPOSE_OPENAT_2(__openat_2)
INTERPOSE_OPENAT_2(__openat64_2)
INTERPOSE_CREAT(creat)
INTERPOSE_CREAT(creat64)
INTERPOSE_FOPEN(fopen)
INTERPOSE_FOPEN(fopen64)
INTERPOSE_FREOPEN(freopen)
INTERPOSE_FREOPEN(freopen64)
INTERPOSE_STAT(stat, 0)
INTERPOSE_STAT(stat64, 0)
INTERPOSE_STAT(lstat, AT_SYMLINK_NOFOLLOW)
INTERPOSE_STAT(lstat64, AT_SYMLINK_NOFOLLOW)
INTERPOSE_FSTATAT(fstatat)
INTERPOSE_FSTATAT(fstatat64)
INTERPOSE_XSTAT(__xstat, 0)
INTERPOSE_XSTAT(__xstat64, 0)
INTERPOSE_XSTAT(__lxstat, AT_SYMLINK_NOFOLLOW)
INTERPOSE_XSTAT(__lxstat64, AT_SYMLINK_NOFOLLOW)
INTERPOSE_FXSTATAT(__fxstatat)
INTERPOSE_FXSTATAT(__fxstatat64)
INTERPOSE_ACCESS(access)
INTERPOSE_ACCESS(eaccess)
INTERPOSE_ACCESS(euidaccess)

INTERPOSE(int, faccessat, int folder, const char* path, int mode, int flags) {
    const auto next = next_faccessat.find();
    return next ? next(folder, substitute(path), mode, flags) : system_access(folder, substitute(path), mode);
}

INTERPOSE(int, statx, int folder, const char* path, int flags, unsigned mask, void* status) {
    const auto next = next_statx.find();
    return next ? next(folder, substitute(path), flags, mask, status)
                : static_cast<int>(syscall(SYS_statx, folder, substitute(path), flags, mask, status));
}

// No component of the path of a device file is a symbolic link.
INTERPOSE(char*, realpath, const char* path, char* resolved) {
    if (is_device_file(path)) return copy_canonical(path, resolved);
    const auto next = next_realpath.find();
    return next ? next(path, resolved) : not_found();
}

INTERPOSE(char*, __realpath_chk, const char* path, char* resolved, size_t size) {
    if (is_device_file(path)) return copy_canonical(path, resolved);
    const auto next = next___realpath_chk.find();
    return next ? next(path, resolved, size) : not_found();
}

INTERPOSE(char*, canonicalize_file_name, const char* path) {
    if (is_device_file(path)) return copy_canonical(path, nullptr);
    const auto next = next_canonicalize_file_name.find();
    return next ? next(path) : not_found();
}

// A program may change its environment before it looks for a device file.
__attribute__((constructor)) static void start() { gpu_count(); }
