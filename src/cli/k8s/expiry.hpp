// SPDX-License-Identifier: Apache-2.0
// Adds the expiry to a plan, so that faults armed in a cluster end without a further request.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace cudafault::cli {

struct Expiring {
    std::string spec;   // every fault has an until=
    std::string until;  // the latest until=, in UTC
};

// Adds until=`end` to faults without an until=, and node= and pod= if `node` and `pods` are not empty. A fault for
// several pods becomes one fault per pod. Throws SpecRefused for a spec that cannot be parsed.
Expiring with_expiry(const std::string& spec, std::chrono::system_clock::time_point end, const std::string& node,
                     const std::vector<std::string>& pods);

}  // namespace cudafault::cli
