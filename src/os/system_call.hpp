// SPDX-License-Identifier: Apache-2.0
// Makes system calls without libc: they do not change errno, are not cancellation points, and another preloaded library
// cannot replace them. Each returns the kernel's result: a value, or -errno. Freestanding, because the fault library
// uses this header.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

namespace cudafault {

#if defined(__x86_64__)
inline long system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
inline long system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}
#else
#error "cudafault supports x86-64 and aarch64"
#endif

inline long address_of(const void* pointer) { return reinterpret_cast<long>(pointer); }

constexpr long kAtCwd = -100;

inline int open_file(const char* path, int flags, int mode = 0) {
    return static_cast<int>(system_call(SYS_openat, kAtCwd, address_of(path), flags, mode));
}
inline void close_file(int file) { system_call(SYS_close, file); }
inline long read_file(int file, void* buffer, size_t size) {
    return system_call(SYS_read, file, address_of(buffer), static_cast<long>(size));
}
inline long write_file(int file, const void* data, size_t size) {
    return system_call(SYS_write, file, address_of(data), static_cast<long>(size));
}
inline int process_id() { return static_cast<int>(system_call(SYS_getpid)); }
inline int thread_id() { return static_cast<int>(system_call(SYS_gettid)); }
inline uint32_t user_id() { return static_cast<uint32_t>(system_call(SYS_getuid)); }

}  // namespace cudafault
