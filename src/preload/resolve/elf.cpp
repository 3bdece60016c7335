// SPDX-License-Identifier: Apache-2.0
#include "preload/resolve/elf.hpp"

namespace cudafault {

namespace {

// Returns the address in a dynamic section as a pointer. glibc relocates these addresses in place; musl does not, and
// the kernel does not relocate those of the vDSO.
template <typename T>
const T* relocated(uintptr_t base, uintptr_t value) {
    return reinterpret_cast<const T*>(value < base ? base + value : value);
}

uint32_t gnu_hash_of(Text name) {
    uint32_t hash = 5381;
    for (size_t i = 0; i < name.size; ++i) hash = hash * 33 + static_cast<unsigned char>(name[i]);
    return hash;
}

}  // namespace

LoadedObject::LoadedObject(const dl_phdr_info& info)
    : base_(info.dlpi_addr), file_(info.dlpi_name ? info.dlpi_name : "") {
    const ElfW(Dyn)* entry = nullptr;
    for (int i = 0; i < info.dlpi_phnum; ++i) {
        const ElfW(Phdr)& segment = info.dlpi_phdr[i];
        const uintptr_t start = base_ + segment.p_vaddr;
        if (segment.p_type == PT_LOAD) {
            if (low_ == 0 || start < low_) low_ = start;
            if (start + segment.p_memsz > high_) high_ = start + segment.p_memsz;
        }
        if (segment.p_type == PT_DYNAMIC) entry = reinterpret_cast<const ElfW(Dyn)*>(start);
    }
    if (entry) read(entry);
}

LoadedObject::LoadedObject(const link_map& object) : base_(object.l_addr), file_(object.l_name ? object.l_name : "") {
    if (object.l_ld) read(object.l_ld);
}

void LoadedObject::read(const ElfW(Dyn)* entry) {
    for (; entry->d_tag != DT_NULL; ++entry) {
        const uintptr_t value = entry->d_un.d_ptr;
        switch (entry->d_tag) {
            case DT_SYMTAB: symbols_ = relocated<ElfW(Sym)>(base_, value); break;
            case DT_STRTAB: strings_ = relocated<char>(base_, value); break;
            case DT_GNU_HASH: gnu_hash_ = relocated<uint32_t>(base_, value); break;
            case DT_HASH: hash_ = relocated<uint32_t>(base_, value); break;
            case DT_VERSYM: versions_ = relocated<ElfW(Half)>(base_, value); break;
            case DT_SONAME: soname_ = value; break;
            default: break;
        }
    }
}

bool LoadedObject::contains(const dl_phdr_info& info, const void* address) {
    const uintptr_t at = reinterpret_cast<uintptr_t>(address) - info.dlpi_addr;
    for (int i = 0; i < info.dlpi_phnum; ++i) {
        const ElfW(Phdr)& segment = info.dlpi_phdr[i];
        if (segment.p_type == PT_LOAD && at - segment.p_vaddr < segment.p_memsz) return true;
    }
    return false;
}

bool LoadedObject::contains(const void* address) const {
    const uintptr_t at = reinterpret_cast<uintptr_t>(address);
    return at >= low_ && at < high_;
}

Text LoadedObject::soname() const { return soname_ && strings_ ? Text(strings_ + soname_) : base_name_of(file()); }

bool LoadedObject::is_named(const ElfW(Sym)& symbol, Text name) const {
    const char* found = strings_ + symbol.st_name;
    for (size_t i = 0; i < name.size; ++i) {
        if (found[i] != name[i]) return false;  // also stops at the '\0' of a shorter name
    }
    return found[name.size] == '\0' && symbol.st_shndx != SHN_UNDEF;
}

bool LoadedObject::is_default_version(uint32_t at) const {
    constexpr ElfW(Half) kHidden = 0x8000;
    return !versions_ || !(versions_[at] & kHidden);
}

const ElfW(Sym)* LoadedObject::find_by_gnu_hash(Text name) const {
    const uint32_t bucket_count = gnu_hash_[0], first = gnu_hash_[1], bloom_words = gnu_hash_[2];
    if (bucket_count == 0) return nullptr;
    const uint32_t* buckets = gnu_hash_ + 4 + bloom_words * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
    const uint32_t* chains = buckets + bucket_count;
    const uint32_t hash = gnu_hash_of(name);
    uint32_t at = buckets[hash % bucket_count];
    if (at < first) return nullptr;
    const ElfW(Sym)* other_version = nullptr;
    for (;; ++at) {
        const uint32_t link = chains[at - first];
        if ((link | 1) == (hash | 1) && is_named(symbols_[at], name)) {
            if (is_default_version(at)) return &symbols_[at];
            other_version = &symbols_[at];
        }
        if (link & 1) return other_version;
    }
}

const ElfW(Sym)* LoadedObject::find_by_hash(Text name) const {
    const uint32_t symbol_count = hash_[1];
    const ElfW(Sym)* other_version = nullptr;
    for (uint32_t at = 1; at < symbol_count; ++at) {
        if (!is_named(symbols_[at], name)) continue;
        if (is_default_version(at)) return &symbols_[at];
        other_version = &symbols_[at];
    }
    return other_version;
}

const ElfW(Sym)* LoadedObject::find(Text name) const {
    if (!symbols_ || !strings_) return nullptr;
    if (gnu_hash_) return find_by_gnu_hash(name);
    return hash_ ? find_by_hash(name) : nullptr;
}

const void* LoadedObject::address_of(const ElfW(Sym)& symbol) const {
    return reinterpret_cast<const void*>(base_ + symbol.st_value);
}

const void* LoadedObject::function(Text name) const {
    const ElfW(Sym)* symbol = find(name);
    return symbol && ELF64_ST_TYPE(symbol->st_info) == STT_FUNC ? address_of(*symbol) : nullptr;
}

Text base_name_of(Text path) {
    size_t start = path.size;
    while (start > 0 && path[start - 1] != '/') --start;
    return path.from(start);
}

}  // namespace cudafault
