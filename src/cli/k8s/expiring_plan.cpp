// SPDX-License-Identifier: Apache-2.0
#include "cli/k8s/expiring_plan.hpp"

#include "kube/api/common/error.hpp"
#include "local/spec.hpp"

namespace cudafault::cli {

kube::Expiring expiring_plan(const std::string& spec, std::chrono::system_clock::time_point end,
                             const std::string& node, const std::vector<std::string>& pods) {
    const auto plan = local::parse_spec(spec);
    kube::Expiring expiring;
    try {
        expiring = kube::with_expiry(*plan, local::split_faults(spec), end, node, pods);
    } catch (const kube::Error& error) {
        throw local::Error(local::kUsage, error.what());
    }
    local::parse_spec(expiring.spec);
    return expiring;
}

}  // namespace cudafault::cli
