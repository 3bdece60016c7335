// SPDX-License-Identifier: Apache-2.0
// Finds functions in libc's symbol table. The library imports no function, because the linker could bind an import to
// the library's own export or to a function of the program, and an import would require a symbol version that another
// libc may not have.
#pragma once

#include <stddef.h>

#include "fault/text.hpp"

namespace cudafault {

struct LibcFunctions {
    int* (*errno_location)();
    void* (*dlsym)(void* handle, const char* name);
    void* (*dlvsym)(void* handle, const char* name, const char* version);
    void* (*dlopen)(const char* file, int flags);
    void* (*dlmopen)(long name_space, const char* file, int flags);
    char* (*dlerror)();
    int (*dlclose)(void* handle);
    int (*dladdr)(const void* address, void* info);
};

// Returns libc's own functions. A member is nullptr while the library that defines it is not loaded: before glibc 2.34
// the dl* functions are in libdl, which a program need not link. Thread-safe.
const LibcFunctions& libc();

// Returns the next dl* functions in the search order: those of an interposer that is loaded after the library, or
// libc's. Thread-safe.
const LibcFunctions& next_in_chain();

// Returns the address of a function of libc, libdl or libpthread, or nullptr.
const void* find_in_libc(Text name);

// Restores the program's errno at the end of a scope.
class ErrnoGuard {
public:
    ErrnoGuard();
    ~ErrnoGuard();
    ErrnoGuard(const ErrnoGuard&) = delete;
    ErrnoGuard& operator=(const ErrnoGuard&) = delete;

private:
    int* const errno_;  // the result of libc's __errno_location; nullptr if libc is not found
    const int before_;
};

// Returns true if the libc of the process is glibc. CUDA requires glibc; under another libc every call passes through.
bool is_glibc();

}  // namespace cudafault
