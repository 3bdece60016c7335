// SPDX-License-Identifier: Apache-2.0
// Functions that only return data. The generator writes one SIM_ANSWER for each function of data/nvml_answers.tsv.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cudafault::sim::nvml {

// A row of the table. Both texts have the format of the table.
struct Answer {
    const char* models;
    const char* parameters;
};

// Answers a call from the rows of its function. `arguments` are the arguments of the call. All are pointers or integers
// and so are passed in integer registers; no prototype is needed.
int answer(const Answer* answers, size_t count, const uintptr_t* arguments);

}  // namespace cudafault::sim::nvml

#define SIM_ANSWER(name, ...)                                                                                      \
    extern "C" __attribute__((visibility("default"))) int name(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, \
                                                               uintptr_t e, uintptr_t f) {                         \
        static constexpr cudafault::sim::nvml::Answer kAnswers[] = {__VA_ARGS__};                                  \
        const uintptr_t arguments[] = {a, b, c, d, e, f};                                                          \
        return cudafault::sim::nvml::answer(kAnswers, sizeof kAnswers / sizeof *kAnswers, arguments);              \
    }
