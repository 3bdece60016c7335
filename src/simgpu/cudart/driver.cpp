// SPDX-License-Identifier: Apache-2.0
// Loads the driver and finds its entry points.
#include "simgpu/cudart/driver.hpp"

#include <dlfcn.h>

#include <atomic>

namespace cudafault::cudart {
namespace {

using GetProcAddress = decltype(Driver::cuGetProcAddress);

template <typename Entry>
void fetch(GetProcAddress get, const char* name, int version, Entry& entry) {
    void* address = nullptr;
    int status = 0;
    if (get(name, &address, version, 0, &status) == kSuccess) entry = reinterpret_cast<Entry>(address);
}

// Never freed, because libraries call the runtime from exit handlers.
const Driver* load() {
    void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    const auto get = library ? reinterpret_cast<GetProcAddress>(dlsym(library, "cuGetProcAddress_v2")) : nullptr;
    if (!get) return nullptr;
    auto* found = new Driver{};
#define CUDAFAULT_FETCH(name, version, parameters) fetch(get, #name, version, found->name);
    CUDAFAULT_DRIVER_FUNCTIONS(CUDAFAULT_FETCH)
#undef CUDAFAULT_FETCH
    return found;
}

}  // namespace

const Driver* driver() {
    static std::atomic<const Driver*> loaded{nullptr};
    if (const Driver* existing = loaded.load(std::memory_order_acquire)) return existing;
    const Driver* expected = nullptr;
    const Driver* found = load();
    if (!found) return nullptr;
    if (loaded.compare_exchange_strong(expected, found)) return found;
    delete found;
    return expected;
}

}  // namespace cudafault::cudart
