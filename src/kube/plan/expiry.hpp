// SPDX-License-Identifier: Apache-2.0
// Adds the expiry to a plan, so that faults armed in a cluster end without a further request.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "fault/plan.hpp"

namespace cudafault::kube {

struct Expiring {
    std::string spec;   // every fault has an until=
    std::string until;  // the latest until=, in UTC
};

// Adds until=`end` to faults without an until=, and node= and pod= if `node` and `pods` are not empty. A fault for
// several pods becomes one fault per pod. `texts` has the text of each fault of `plan`. Throws Error for an empty plan,
// for a fault that already has another target, and for more pods than a plan can name.
Expiring with_expiry(const Plan& plan, const std::vector<std::string>& texts, std::chrono::system_clock::time_point end,
                     const std::string& node, const std::vector<std::string>& pods);

}  // namespace cudafault::kube
