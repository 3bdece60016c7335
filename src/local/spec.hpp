// SPDX-License-Identifier: Apache-2.0
// Checks plans before they are armed, and resolves their GPUs for a machine.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fault/plan.hpp"
#include "local/error.hpp"
#include "local/machine.hpp"
#include "local/target_variables.hpp"

namespace cudafault::local {

// The error for an invalid plan. what() includes the spec with a marker at the position of the error.
class SpecRefused : public Error {
public:
    SpecRefused(const std::string& spec_text, const SpecError& error);

    std::string spec, message;
    size_t column;  // 1-based
    size_t length;
};

inline Text text_of(const std::string& text) { return {text.data(), text.size()}; }
inline std::string string_of(Text text) { return {text.data, text.size}; }

// Parses a plan before it is armed. Throws SpecRefused if it is invalid or contains a fault that can never fire.
// `ranks` is the number of ranks of the job; 0: unknown.
std::unique_ptr<Plan> parse_spec(const std::string& spec, uint64_t ranks = 0);

// Parses a plan that parse_spec has accepted. Its until= may have passed since then. Throws SpecRefused if it is
// invalid.
std::unique_ptr<Plan> parse_armed_spec(const std::string& spec);

// Returns the text of each fault that the parser finds, without comments.
std::vector<std::string> split_faults(const std::string& spec);

std::string range_text(uint64_t first, uint64_t last);  // 3, or 2 to 5
std::string rank_list(const Fault& fault);              // 0, 2 to 5

// Joins specs into one spec with all their faults.
std::string join_specs(const std::vector<std::string>& specs);

struct Resolved {
    std::string spec;        // with UUIDs for indices and PCI ids
    std::string unresolved;  // the first index that is not resolved, because the machine's GPUs are unknown; or empty
};

// Replaces the GPUs in a spec that parse_spec accepts with UUIDs. Throws SpecRefused if the spec names a GPU that the
// machine does not have.
Resolved resolve_gpus(const std::string& spec, const Machine& machine);

// Returns a line for each part of the plan that may not have the effect that its author expects in a run with these
// variables.
std::vector<std::string> plan_notes(const Plan& plan, const Resolved& resolved, const TargetVariables& variables);

}  // namespace cudafault::local
