// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

namespace cudafault::sim {

// An object that is created at its first use and never destroyed, because libraries call CUDA from exit handlers.
// If several threads request the object at the same time, all get the same object. Unlike a local static, this class
// does not need guard functions of the C++ runtime.
template <typename Object>
class Lazy {
public:
    template <typename Create>
    Object& get(Create create) {
        if (Object* existing = object_.load(std::memory_order_acquire)) return *existing;
        Object* created = create();
        Object* expected = nullptr;
        if (object_.compare_exchange_strong(expected, created)) return *created;
        delete created;
        return *expected;
    }
    Object& get() {
        return get([] { return new Object; });
    }

private:
    std::atomic<Object*> object_{nullptr};
};

}  // namespace cudafault::sim
