// SPDX-License-Identifier: Apache-2.0
#include "kube/plan/expiry.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "kube/api/common/error.hpp"
#include "kube/api/common/timestamp.hpp"

namespace cudafault::kube {

namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;

std::string utc_of(uint64_t ns) { return utc(static_cast<std::time_t>(ns / kNsPerSecond)); }

void refuse_conflicting_target(const std::string& fault, const char* key, const std::string& option, bool has_key) {
    if (!has_key) return;
    throw Error(
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
        throw Error(
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

Expiring with_expiry(const Plan& plan, const std::vector<std::string>& texts, std::chrono::system_clock::time_point end,
                     const std::string& node, const std::vector<std::string>& pods) {
    const uint64_t end_ns =
        std::chrono::duration_cast<std::chrono::seconds>(end.time_since_epoch()).count() * kNsPerSecond;
    std::vector<std::string> faults;
    uint64_t latest = 0;
    int index = 0;
    for (const std::string& text : texts) {
        const Fault& fault = plan.faults[index++];
        const bool has_end = fault.until_ns != kForever;
        latest = std::max(latest, has_end ? fault.until_ns : end_ns);
        for (const std::string& narrowed_fault : narrowed(text, fault, node, pods)) {
            faults.push_back(has_end ? narrowed_fault : fmt::format("{} until={}", narrowed_fault, utc_of(end_ns)));
        }
    }
    if (faults.empty()) throw Error("the plan is empty: use `cudafault k8s disarm` to end the faults");
    return {fmt::format("{}", fmt::join(faults, "; ")), utc_of(latest)};
}

}  // namespace cudafault::kube
