// SPDX-License-Identifier: Apache-2.0
// System calls for which glibc 2.17 exports no function.
#pragma once

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace cudafault::sim {

// A file in memory, closed on exec; negative if the kernel has no room.
inline int create_memory_file(const char* name) {
    return static_cast<int>(syscall(SYS_memfd_create, name, MFD_CLOEXEC));
}

// On 64-bit x86 and Arm the kernel's structure is the C library's.
inline bool get_status(int fd, struct stat& status) { return syscall(SYS_fstat, fd, &status) == 0; }

}  // namespace cudafault::sim
