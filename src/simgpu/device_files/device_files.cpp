// SPDX-License-Identifier: Apache-2.0
// Implements libdevicefiles.so, which makes the device files of simulated GPUs appear to exist. Some programs, such as
// JAX, test for /dev/nvidia0 or /dev/nvidiactl before they call CUDA. Creating those files would need root.
//
// Only simulated runs preload this library; programs on real GPUs never load it. Its functions replace the path of such
// a file with /dev/null, which is a character device too (D-132), and call the C library's function. Directory listings
// do not show the files. CUDAFAULT_SIM_DEVICE_FILES is the number of GPUs; 0 disables the library.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// Weak, because musl has no symbol versions.
extern "C" void* dlvsym(void* handle, const char* name, const char* version) noexcept __attribute__((weak));

namespace {

constexpr const char* kControlFiles[] = {"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools",
                                         "/dev/nvidia-modeset"};
constexpr const char kGpuFile[] = "/dev/nvidia";
constexpr long kMaxGpus = 64;

// The symbol version of functions that newer releases of glibc keep only for old programs.
#if defined(__x86_64__)
constexpr const char* kFirstVersion = "GLIBC_2.2.5";
#else
constexpr const char* kFirstVersion = "GLIBC_2.17";
#endif

long gpu_count = 0;

// Parses the whole text as a number. Returns -1 if the text is invalid.
long number_of(const char* text) {
    if (!*text || (text[0] == '0' && text[1])) return -1;
    long number = 0;
    for (; *text; ++text) {
        if (*text < '0' || *text > '9' || number > kMaxGpus) return -1;
        number = number * 10 + (*text - '0');
    }
    return number;
}

const char* substitute(const char* path) {
    if (gpu_count == 0 || !path || strncmp(path, kGpuFile, sizeof kGpuFile - 1) != 0) return path;
    for (const char* file : kControlFiles) {
        if (strcmp(path, file) == 0) return "/dev/null";
    }
    const long gpu = number_of(path + sizeof kGpuFile - 1);
    return gpu >= 0 && gpu < gpu_count ? "/dev/null" : path;
}

// The next definition of a function: that of the C library or of another preloaded library. It is unset until this
// library's constructor has run; calls before that make the system call directly.
template <typename Signature>
struct Next {
    Signature* function = nullptr;

    void find(const char* name) {
        void* found = dlsym(RTLD_NEXT, name);
        if (!found && dlvsym) found = dlvsym(RTLD_NEXT, name, kFirstVersion);
        function = reinterpret_cast<Signature*>(found);
    }
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

}  // namespace

// Defines a function of the C library under its own name; next_NAME is the next definition.
#define INTERPOSE(result, name, ...)                                                                          \
    static Next<result(__VA_ARGS__)> next_##name;                                                             \
    extern "C" __attribute__((visibility("default"))) result device_files_##name(__VA_ARGS__) __asm__(#name); \
    result device_files_##name(__VA_ARGS__)

// On 64-bit machines a function whose name ends with 64 is identical to the one without the suffix.
#define INTERPOSE_OPEN(name)                                                                  \
    INTERPOSE(int, name, const char* path, int flags, ...) {                                  \
        va_list arguments;                                                                    \
        va_start(arguments, flags);                                                           \
        const int mode = has_mode(flags) ? va_arg(arguments, int) : 0;                        \
        va_end(arguments);                                                                    \
        if (next_##name.function) return next_##name.function(substitute(path), flags, mode); \
        return system_open(AT_FDCWD, substitute(path), flags, mode);                          \
    }
#define INTERPOSE_OPENAT(name)                                                                        \
    INTERPOSE(int, name, int folder, const char* path, int flags, ...) {                              \
        va_list arguments;                                                                            \
        va_start(arguments, flags);                                                                   \
        const int mode = has_mode(flags) ? va_arg(arguments, int) : 0;                                \
        va_end(arguments);                                                                            \
        if (next_##name.function) return next_##name.function(folder, substitute(path), flags, mode); \
        return system_open(folder, substitute(path), flags, mode);                                    \
    }
#define INTERPOSE_FOPEN(name)                                                          \
    INTERPOSE(FILE*, name, const char* path, const char* mode) {                       \
        if (next_##name.function) return next_##name.function(substitute(path), mode); \
        errno = ENOSYS;                                                                \
        return nullptr;                                                                \
    }
#define INTERPOSE_STAT(name, flags)                                                      \
    INTERPOSE(int, name, const char* path, void* status) {                               \
        if (next_##name.function) return next_##name.function(substitute(path), status); \
        return system_stat(AT_FDCWD, substitute(path), status, flags);                   \
    }
#define INTERPOSE_FSTATAT(name)                                                                         \
    INTERPOSE(int, name, int folder, const char* path, void* status, int flags) {                       \
        if (next_##name.function) return next_##name.function(folder, substitute(path), status, flags); \
        return system_stat(folder, substitute(path), status, flags);                                    \
    }
// Programs built with a glibc older than 2.33 call these functions.
#define INTERPOSE_XSTAT(name, flags)                                                              \
    INTERPOSE(int, name, int version, const char* path, void* status) {                           \
        if (next_##name.function) return next_##name.function(version, substitute(path), status); \
        return system_stat(AT_FDCWD, substitute(path), status, flags);                            \
    }
#define INTERPOSE_FXSTATAT(name)                                                                                 \
    INTERPOSE(int, name, int version, int folder, const char* path, void* status, int flags) {                   \
        if (next_##name.function) return next_##name.function(version, folder, substitute(path), status, flags); \
        return system_stat(folder, substitute(path), status, flags);                                             \
    }

INTERPOSE_OPEN(open)
INTERPOSE_OPEN(open64)
INTERPOSE_OPENAT(openat)
INTERPOSE_OPENAT(openat64)
INTERPOSE_FOPEN(fopen)
INTERPOSE_FOPEN(fopen64)
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

INTERPOSE(int, statx, int folder, const char* path, int flags, unsigned mask, void* status) {
    if (next_statx.function) return next_statx.function(folder, substitute(path), flags, mask, status);
    return static_cast<int>(syscall(SYS_statx, folder, substitute(path), flags, mask, status));
}

INTERPOSE(int, access, const char* path, int mode) {
    return next_access.function ? next_access.function(substitute(path), mode)
                                : system_access(AT_FDCWD, substitute(path), mode);
}

INTERPOSE(int, faccessat, int folder, const char* path, int mode, int flags) {
    return next_faccessat.function ? next_faccessat.function(folder, substitute(path), mode, flags)
                                   : system_access(folder, substitute(path), mode);
}

__attribute__((constructor)) static void start() {
#define FIND(name) next_##name.find(#name);
    FIND(open)
    FIND(open64)
    FIND(openat)
    FIND(openat64)
    FIND(fopen)
    FIND(fopen64)
    FIND(stat)
    FIND(stat64)
    FIND(lstat)
    FIND(lstat64)
    FIND(fstatat)
    FIND(fstatat64)
    FIND(__xstat)
    FIND(__xstat64)
    FIND(__lxstat)
    FIND(__lxstat64)
    FIND(__fxstatat)
    FIND(__fxstatat64)
    FIND(statx)
    FIND(access)
    FIND(faccessat)
#undef FIND
    const char* count = getenv("CUDAFAULT_SIM_DEVICE_FILES");
    const long number = count ? number_of(count) : 0;
    gpu_count = number > 0 ? number : 0;
}
