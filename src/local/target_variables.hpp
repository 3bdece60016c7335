// SPDX-License-Identifier: Apache-2.0
// Reads the environment variables of a run that rank=, node= and pod= are compared with.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "fault/plan.hpp"

namespace cudafault::local {

struct TargetVariables {
    uint64_t ranks = 0;     // size of the distributed job that the run belongs to; 0: unknown
    std::string node, pod;  // CUDAFAULT_NODE and CUDAFAULT_POD; empty: not set
};

// Returns the variables in the environment of this process. The processes of its run inherit them.
TargetVariables target_variables();

// Returns the reason why node= or pod= of the fault selects no process with these variables. Returns an empty text if
// they select one.
std::string reason_not_selected(const Fault& fault, const TargetVariables& variables);

// Returns a line for each fault whose node= or pod= selects no process with these variables. Such a plan is accepted,
// because the command of a run may set the variables itself.
std::vector<std::string> target_notes(const Plan& plan, const TargetVariables& variables);

void to_json(nlohmann::json& out, const TargetVariables& variables);
void from_json(const nlohmann::json& in, TargetVariables& variables);

}  // namespace cudafault::local
