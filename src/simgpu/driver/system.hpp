// SPDX-License-Identifier: Apache-2.0
// Makes system calls for which glibc 2.17 exports no function.
#pragma once

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace cudafault::sim {

// Creates a file in memory that is closed on exec. Returns a negative number on failure.
inline int create_memory_file(const char* name) {
    return static_cast<int>(syscall(SYS_memfd_create, name, MFD_CLOEXEC));
}

// On 64-bit x86 and Arm the C library uses the kernel's structure.
inline bool get_status(int fd, struct stat& status) { return syscall(SYS_fstat, fd, &status) == 0; }

}  // namespace cudafault::sim
