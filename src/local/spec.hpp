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

// Number of ranks of the distributed job that this process is a rank of, as its launcher's variables say; 0: unknown.
uint64_t job_size();

// Parses a plan that is about to be armed. Throws SpecRefused, also for a fault that can never fire. `ranks` is the
// number of ranks of the job; 0: unknown.
std::unique_ptr<Plan> parse_spec(const std::string& spec, uint64_t ranks = 0);

// The texts of the faults without comments, as many as the parser finds.
std::vector<std::string> split_faults(const std::string& spec);

// One spec with the faults of all.
std::string join_specs(const std::vector<std::string>& specs);

struct Resolved {
    std::string spec;        // with UUIDs for indices and PCI ids
    std::string unresolved;  // the first index that stays as it is, because the machine's GPUs are unknown; or empty
};

// `spec` has been parsed. Throws SpecRefused if it names a GPU that the machine does not have.
Resolved resolve_gpus(const std::string& spec, const Machine& machine);

}  // namespace cudafault::local
