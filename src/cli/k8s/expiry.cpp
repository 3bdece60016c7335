// SPDX-License-Identifier: Apache-2.0
#include "cli/k8s/expiry.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "kube/api/common/timestamp.hpp"
#include "local/spec.hpp"

namespace cudafault::cli {

namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;

std::string utc(uint64_t ns) { return kube::utc(static_cast<std::time_t>(ns / kNsPerSecond)); }

void refuse_conflicting_target(const std::string& fault, const char* key, const std::string& option, bool given) {
    if (!given) return;
    throw local::Error(
        local::kUsage,
        fmt::format("conflicting targets: fault `{}` already has {}=, so {} cannot be used", fault, key, option));
}

std::vector<std::string> narrowed(const std::string& fault, const Fault& parsed, const std::string& node,
                                  const std::vector<std::string>& pods) {
    std::string at_node = fault;
    if (!node.empty()) {
        refuse_conflicting_target(fault, "node", "--node", parsed.node[0] != 0);
        at_node += " node=" + node;
    }
    if (pods.empty()) return {at_node};
    refuse_conflicting_target(fault, "pod", "--selector", parsed.pod[0] != 0);
    if (pods.size() > kMaxFaults) {
        throw local::Error(
            local::kUsage,
            fmt::format("--selector matches {} pods of one workload, but a plan can name at most {}: select "
                        "fewer, or put pod=PATTERN into the plan",
                        pods.size(), kMaxFaults));
    }
    std::vector<std::string> faults;
    faults.reserve(pods.size());
    for (const std::string& pod : pods) faults.push_back(fmt::format("{} pod={}", at_node, pod));
    return faults;
}

}  // namespace

Expiring with_expiry(const std::string& spec, std::chrono::system_clock::time_point end, const std::string& node,
                     const std::vector<std::string>& pods) {
    const auto plan = local::parse_spec(spec);
    const uint64_t end_ns =
        std::chrono::duration_cast<std::chrono::seconds>(end.time_since_epoch()).count() * kNsPerSecond;
    std::vector<std::string> faults;
    uint64_t latest = 0;
    int index = 0;
    for (const std::string& text : local::split_faults(spec)) {
        const Fault& fault = plan->faults[index++];
        const bool ends = fault.until_ns != kForever;
        latest = std::max(latest, ends ? fault.until_ns : end_ns);
        for (const std::string& narrowed_fault : narrowed(text, fault, node, pods)) {
            faults.push_back(ends ? narrowed_fault : fmt::format("{} until={}", narrowed_fault, utc(end_ns)));
        }
    }
    if (faults.empty())
        throw local::Error(local::kUsage, "the plan is empty: use `cudafault k8s disarm` to arm nothing");
    const std::string expiring_spec = fmt::format("{}", fmt::join(faults, "; "));
    local::parse_spec(expiring_spec);
    return {expiring_spec, utc(latest)};
}

}  // namespace cudafault::cli
