// SPDX-License-Identifier: Apache-2.0
// Implements the functions that only return data. The generator writes one SIM_ANSWER for each function in
// data/nvml_answers.tsv.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cudafault::sim::nvml {

// The columns `models` and `parameters` of a row of data/nvml_answers.tsv.
struct TableRow {
    const char* models;
    const char* parameters;
};

// Implements a call with the rows of its function. Every argument is a pointer or an integer, which the caller passes
// in an integer register, so no prototype is needed.
int call_from_table(const TableRow* rows, size_t count, const uintptr_t* arguments);

}  // namespace cudafault::sim::nvml

#define SIM_ANSWER(name, ...)                                                                                      \
    extern "C" __attribute__((visibility("default"))) int name(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, \
                                                               uintptr_t e, uintptr_t f) {                         \
        static constexpr cudafault::sim::nvml::TableRow kRows[] = {__VA_ARGS__};                                   \
        const uintptr_t arguments[] = {a, b, c, d, e, f};                                                          \
        return cudafault::sim::nvml::call_from_table(kRows, sizeof kRows / sizeof *kRows, arguments);              \
    }
