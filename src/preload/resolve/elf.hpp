// SPDX-License-Identifier: Apache-2.0
// Reads the segments and symbols of a loaded ELF object from memory. Unlike dlsym, a lookup here calls no libc
// function, does not depend on the caller, and cannot return the library's own export instead of the object's symbol.
#pragma once

#include <elf.h>
#include <link.h>

#include "fault/text.hpp"

namespace cudafault {

// Valid while the object is loaded. Takes no lock and allocates no memory.
class LoadedObject {
public:
    LoadedObject() = default;
    explicit LoadedObject(const dl_phdr_info& info);
    explicit LoadedObject(const link_map& object);  // contains() returns false: a link_map has no segments

    // Returns true if the address lies in a PT_LOAD segment of the object.
    static bool contains(const dl_phdr_info& info, const void* address);
    // Returns true if the address lies between the start of the first PT_LOAD segment and the end of the last one.
    bool contains(const void* address) const;
    Text soname() const;  // DT_SONAME, or the base name of the file if the object has no DT_SONAME
    Text file() const { return Text(file_); }

    // Returns a symbol that the object itself defines, or nullptr. If the object defines several versions of the
    // symbol, returns the default version.
    const ElfW(Sym)* find(Text name) const;
    const void* address_of(const ElfW(Sym)& symbol) const;

    // Returns the address of the function, or nullptr. Ignores indirect functions (STT_GNU_IFUNC), because only a call
    // of their resolver returns their address.
    const void* function(Text name) const;

private:
    const ElfW(Sym)* find_by_gnu_hash(Text name) const;
    const ElfW(Sym)* find_by_hash(Text name) const;
    bool is_named(const ElfW(Sym)& symbol, Text name) const;
    bool is_default_version(uint32_t at) const;  // `at`: index in the symbol table
    void read(const ElfW(Dyn)* entry);

    uintptr_t base_ = 0;
    uintptr_t low_ = 0, high_ = 0;  // bounds of the PT_LOAD segments
    const char* file_ = "";
    const ElfW(Sym)* symbols_ = nullptr;
    const char* strings_ = nullptr;
    const uint32_t* gnu_hash_ = nullptr;
    const uint32_t* hash_ = nullptr;
    const ElfW(Half)* versions_ = nullptr;
    size_t soname_ = 0;
};

// Returns the part after the last '/'.
Text base_name_of(Text path);

}  // namespace cudafault
