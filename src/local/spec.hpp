// SPDX-License-Identifier: Apache-2.0
// Plans as the tool handles them: checked, with GPUs resolved for a machine, refused in words that point at the place.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fault/plan.hpp"
#include "local/error.hpp"
#include "local/machine.hpp"

namespace cudafault::local {

class SpecRefused : public Error {
public:
    SpecRefused(const std::string& spec_text, const SpecError& error);

    std::string spec, message;
    size_t column;  // 1-based
    size_t length;
};

inline Text text_of(const std::string& text) { return {text.data(), text.size()}; }
inline std::string string_of(Text text) { return {text.data, text.size}; }

// Throws SpecRefused.
std::unique_ptr<Plan> parse_spec(const std::string& spec);

// The texts of the faults, as many as the parser finds.
std::vector<std::string> split_faults(const std::string& spec);

struct Resolved {
    std::string spec;        // with UUIDs for indices and PCI ids
    std::string unresolved;  // the first GPU that stayed as it was because nobody knows the machine's GPUs; or empty
};

// `spec` has been parsed. Throws SpecRefused where it names a GPU that the machine has not.
Resolved resolve_gpus(const std::string& spec, const Machine& machine);

}  // namespace cudafault::local
