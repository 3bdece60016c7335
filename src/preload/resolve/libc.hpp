// SPDX-License-Identifier: Apache-2.0
// libc's own dynamic linker interface, found in libc's symbol table. The library imports no function: an import would
// be bound to the library's own export or to a function of the program, and would name a version that another libc
// lacks.
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

// Members are nullptr while the library that has them is not loaded: before glibc 2.34 that is libdl, and a program
// need not have it.
const LibcFunctions& libc();

// The same functions of whoever comes next: another interposer behind us, or libc.
const LibcFunctions& next_in_chain();

// A function of libc or of libpthread, or nullptr.
const void* find_in_libc(Text name);

// Puts errno back to what the program had.
class ErrnoKept {
public:
    ErrnoKept();
    ~ErrnoKept();
    ErrnoKept(const ErrnoKept&) = delete;
    ErrnoKept& operator=(const ErrnoKept&) = delete;

private:
    int* const errno_;  // libc's own, whatever function of that name the program has
    const int before_;
};

// CUDA exists for glibc alone; under another libc every call passes through.
bool is_glibc();

// A variable of the environment, or nullptr. getenv is not used: bash has one of its own.
const char* environment(Text name);

}  // namespace cudafault
