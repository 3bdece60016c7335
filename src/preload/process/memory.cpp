// SPDX-License-Identifier: Apache-2.0
// Defines the library's own copies of the memory functions that the sources use and that compilers call implicitly.
// The program may interpose libc's functions with functions that are not initialized yet or that call this library in
// turn. The names are assembler names, because <string.h> may define functions of these names.
#include <stddef.h>

// In the one-file source, these functions are compiled together with their callers. `noipa` prevents GCC from inferring
// their effects from their bodies, because GCC has built-in definitions for functions of these names.
#if defined(__clang__)
#define CUDAFAULT_NAMED(name) __asm__(name) __attribute__((visibility("hidden"), used))
#else
#define CUDAFAULT_NAMED(name) __asm__(name) __attribute__((visibility("hidden"), used, noipa))
#endif

extern "C" {
void* cudafault_memcpy(void* to, const void* from, size_t size) CUDAFAULT_NAMED("memcpy");
void* cudafault_memmove(void* to, const void* from, size_t size) CUDAFAULT_NAMED("memmove");
void* cudafault_memset(void* to, int value, size_t size) CUDAFAULT_NAMED("memset");
int cudafault_memcmp(const void* left, const void* right, size_t size) CUDAFAULT_NAMED("memcmp");
size_t cudafault_strlen(const char* text) CUDAFAULT_NAMED("strlen");
}

namespace {

// Prevents the compiler from replacing a loop with a call of the function that contains it.
template <typename T>
T* opaque(T* pointer) {
    __asm__("" : "+r"(pointer));
    return pointer;
}

}  // namespace

void* cudafault_memcpy(void* to, const void* from, size_t size) {
    auto out = static_cast<char*>(to);
    auto in = static_cast<const char*>(from);
    for (const char* const end = in + size; in != end; out = opaque(out + 1)) *out = *in++;
    return to;
}

void* cudafault_memmove(void* to, const void* from, size_t size) {
    auto out = static_cast<char*>(to);
    auto in = static_cast<const char*>(from);
    if (out <= in || out >= in + size) return cudafault_memcpy(to, from, size);
    for (out += size, in += size; out != to;) *--out = *opaque(--in);
    return to;
}

void* cudafault_memset(void* to, int value, size_t size) {
    auto out = static_cast<char*>(to);
    for (const char* const end = out + size; out != end; out = opaque(out + 1)) *out = static_cast<char>(value);
    return to;
}

int cudafault_memcmp(const void* left, const void* right, size_t size) {
    auto a = static_cast<const unsigned char*>(left), b = static_cast<const unsigned char*>(right);
    for (; size > 0; --size, a = opaque(a + 1), ++b) {
        if (*a != *b) return *a - *b;
    }
    return 0;
}

size_t cudafault_strlen(const char* text) {
    const char* end = text;
    while (*end) end = opaque(end + 1);
    return static_cast<size_t>(end - text);
}
