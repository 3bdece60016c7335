// SPDX-License-Identifier: Apache-2.0
// Answers what an XID does in one situation.
#pragma once

#include <stdexcept>

#include "catalog/entry.hpp"

namespace cudafault::catalog {

struct Situation {
    std::string cuda;       // version of the CUDA toolkit, "12.4"
    std::string gpu_model;  // "H100"
};

// A situation that the catalog does not know, or in which the XID does not occur. what() is one sentence.
class UnknownSituation : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// The known versions of CUDA, ascending.
const std::vector<std::string>& cuda_versions();

// Returns true if the GPU model has every feature that the XID needs. The model must be known.
bool can_occur_on(const Entry&, const std::string& gpu_model);

// Throws UnknownSituation if the CUDA version or the GPU model is unknown (what() names the nearest known one), or if
// the GPU model lacks a feature that the XID needs.
void check_situation(const Entry&, const Situation&);

// The code of the observation with this version of CUDA on this GPU model, or nullptr if no call fails. Both must be
// known.
const Code* code_at(const Observation&, const std::string& cuda, const std::string& gpu_model);

}  // namespace cudafault::catalog
