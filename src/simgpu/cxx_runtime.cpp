// SPDX-License-Identifier: Apache-2.0
// Implements the part of the C++ runtime that the simulated libraries use. The versions in libstdc++ throw exceptions
// and so need functions that glibc 2.17 and musl do not have. These versions abort, because exceptions are disabled
// here.
#include <cstdlib>
#include <new>

void* operator new(size_t bytes) {
    void* memory = std::malloc(bytes ? bytes : 1);
    if (!memory) std::abort();
    return memory;
}
void* operator new[](size_t bytes) { return operator new(bytes); }
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return std::malloc(bytes ? bytes : 1); }

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace std {

void __throw_bad_alloc() { abort(); }
void __throw_bad_array_new_length() { abort(); }
void __throw_length_error(const char*) { abort(); }
void __throw_logic_error(const char*) { abort(); }
void __throw_out_of_range(const char*) { abort(); }
void __throw_out_of_range_fmt(const char*, ...) { abort(); }
void __throw_system_error(int) { abort(); }

}  // namespace std
