// SPDX-License-Identifier: Apache-2.0
// Answers what an XID does in one situation.
#pragma once

#include <stdexcept>

#include "catalog/entry.hpp"

namespace cudafault::catalog {

struct Situation {
    std::string cuda;       // version of the CUDA toolkit, "12.4"
    std::string gpu_model;  // "H100"
    bool new_process;       // false: the process used the GPU at the trip
};

// A situation that the catalog does not know, or in which the XID does not occur. what() is one sentence.
class UnknownSituation : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// The versions of CUDA that the codes distinguish, ascending.
const std::vector<std::string>& cuda_versions();

// Throws UnknownSituation if the CUDA version or the GPU model is unknown (what() names the nearest known one), or if
// the GPU model lacks a feature that the XID needs.
void check_situation(const Entry&, const Situation&);

// The code of the observation with this version of CUDA, or nullptr if no call fails. The version must be known.
const Code* code_at(const Observation&, const std::string& cuda);

// Returns the nearest of these versions ("12.6" for "12.7").
std::string nearest_version(const std::vector<std::string>& known, const std::string& version);

std::string feature_text(const std::string& feature);  // of Entry::needs, in words

}  // namespace cudafault::catalog
