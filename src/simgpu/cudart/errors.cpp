// SPDX-License-Identifier: Apache-2.0
// Implements the functions that return the names and texts of the runtime's errors.
#include <algorithm>
#include <iterator>

#include "simgpu/cudart/runtime.hpp"

namespace cudafault::cudart {
namespace {

struct ErrorText {
    int code;
    const char* name;
    const char* text;
};

constexpr ErrorText kErrors[] = {
#define CUDART_ERROR(code, name, text) {code, name, text},
#include "simgpu/cudart/errors.inc"
#undef CUDART_ERROR
};
constexpr ErrorText kUnrecognized = {-1, "unrecognized error code", "unrecognized error code"};

const ErrorText& text_of(int code) {
    const auto* found = std::lower_bound(std::begin(kErrors), std::end(kErrors), code,
                                         [](const ErrorText& row, int wanted) { return row.code < wanted; });
    return found != std::end(kErrors) && found->code == code ? *found : kUnrecognized;
}

}  // namespace

CUDART_API const char* cudaGetErrorName(int code) { return text_of(code).name; }
CUDART_API const char* cudaGetErrorString(int code) { return text_of(code).text; }

}  // namespace cudafault::cudart
