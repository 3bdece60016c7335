// SPDX-License-Identifier: Apache-2.0
#include "preload/process/environment.hpp"

#include <string.h>

#include "fault/atomics.hpp"
#include "fault/plan.hpp"

extern "C" char** environ __attribute__((weak));

namespace cudafault {

namespace {

constexpr Text kCopiedPrefix = "CUDAFAULT_";
constexpr Text kContractVariables[] = {"CUDA_FAULT_INJECTION_ENABLED", "CUDA_XID_TYPE"};

char copied_variables[2 * kMaxSpec];  // NAME=VALUE strings, each terminated by '\0'
size_t copied_size;

// Returns the value in `variable`, NAME=VALUE, if its name is `name`, or nullptr. Stops at the first
// mismatch.
const char* value_if_named(const char* variable, Text name) {
    size_t i = 0;
    while (i < name.size && variable[i] == name[i]) ++i;
    return i == name.size && variable[i] == '=' ? variable + i + 1 : nullptr;
}

template <size_t N>
bool is_one_of(const char* variable, const Text (&names)[N]) {
    for (const Text name : names) {
        if (value_if_named(variable, name)) return true;
    }
    return false;
}

bool is_copied(const char* variable) {
    size_t i = 0;
    while (i < kCopiedPrefix.size && variable[i] == kCopiedPrefix[i]) ++i;
    return i == kCopiedPrefix.size || is_one_of(variable, kContractVariables) || is_one_of(variable, kRankVariables);
}

const char* current_value(Text name) {
    if (!&environ || !environ) return nullptr;
    for (char** variable = environ; *variable; ++variable) {
        if (const char* value = value_if_named(*variable, name)) return value;
    }
    return nullptr;
}

const char* copied_value(Text name) {
    const size_t size = observe(copied_size);
    for (size_t at = 0; at < size; at += Text(copied_variables + at).size + 1) {
        if (const char* value = value_if_named(copied_variables + at, name)) return value;
    }
    return nullptr;
}

}  // namespace

void copy_environment() {
    if (!&environ || !environ) return;
    size_t size = 0;
    for (char** variable = environ; *variable; ++variable) {
        if (!is_copied(*variable)) continue;
        const size_t needed = Text(*variable).size + 1;
        if (needed > sizeof copied_variables - size) continue;
        memcpy(copied_variables + size, *variable, needed);
        size += needed;
    }
    if (size > 0) publish(copied_size, size);
}

const char* environment(Text name) {
    const char* current = current_value(name);
    const char* at_load = copied_value(name);
    const bool is_changed = current && !(at_load && Text(current) == Text(at_load));
    return is_changed ? current : at_load;
}

}  // namespace cudafault
