// SPDX-License-Identifier: Apache-2.0
// A loaded object, read from memory: which addresses it holds, and which symbols it defines. Unlike dlsym this calls no
// function, names no version, and cannot come back to the library's own exports.
#pragma once

#include <elf.h>
#include <link.h>

#include "fault/text.hpp"

namespace cudafault {

class LoadedObject {
public:
    LoadedObject() = default;
    explicit LoadedObject(const dl_phdr_info& info);
    explicit LoadedObject(const link_map& object);  // holds() is false: a link_map does not tell the extent

    static bool holds(const dl_phdr_info& info, const void* address);
    bool holds(const void* address) const;
    Text soname() const;  // DT_SONAME, else the file's base name
    Text file() const { return Text(file_); }

    // A symbol that the object itself defines, or nullptr.
    const ElfW(Sym)* find(Text name) const;
    const void* address_of(const ElfW(Sym)& symbol) const;

    // The function of that name, or nullptr; an indirect function has no address before it is asked.
    const void* function(Text name) const;

private:
    const ElfW(Sym)* find_by_gnu_hash(Text name) const;
    const ElfW(Sym)* find_by_hash(Text name) const;
    bool names(const ElfW(Sym)& symbol, Text name) const;
    void read(const ElfW(Dyn)* entry);

    uintptr_t base_ = 0;
    uintptr_t low_ = 0, high_ = 0;  // of all segments
    const char* file_ = "";
    const ElfW(Sym)* symbols_ = nullptr;
    const char* strings_ = nullptr;
    const uint32_t* gnu_hash_ = nullptr;
    const uint32_t* hash_ = nullptr;
    size_t soname_ = 0;
};

Text base_name_of(Text path);

}  // namespace cudafault
