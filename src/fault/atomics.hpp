// SPDX-License-Identifier: Apache-2.0
// Defines atomic access to words that threads or processes share. std::atomic cannot be used for fields of plain shared
// memory.
#pragma once

#include <stdint.h>

namespace cudafault {

// load() and store() are relaxed: they order no other memory access.
template <typename T>
T load(const T& value) {
    return __atomic_load_n(&value, __ATOMIC_RELAXED);
}

template <typename T>
void store(T& target, T value) {
    __atomic_store_n(&target, value, __ATOMIC_RELAXED);
}

// Acquire load: after it reads a value stored by publish(), all stores made before that publish() are visible.
template <typename T>
T observe(const T& value) {
    return __atomic_load_n(&value, __ATOMIC_ACQUIRE);
}

template <typename T>
void publish(T& target, T value) {
    __atomic_store_n(&target, value, __ATOMIC_RELEASE);
}

inline uint64_t count_up(uint64_t& value) { return __atomic_add_fetch(&value, 1, __ATOMIC_RELAXED); }

// Compare-and-exchange. If the function returns false, it stores the current value in `expected`.
inline bool replace(uint64_t& value, uint64_t& expected, uint64_t desired) {
    return __atomic_compare_exchange_n(&value, &expected, desired, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

}  // namespace cudafault
