// SPDX-License-Identifier: Apache-2.0
#include "kube/plan/plan_spec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>

#include "fault/plan.hpp"
#include "fault/text.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/common/timestamp.hpp"
#include "kube/object/path.hpp"

namespace cudafault::kube {

namespace {

std::unique_ptr<Plan> parse_or_null(const std::string& spec) {
    auto plan = std::make_unique<Plan>();
    SpecError error;
    if (!parse_plan(spec.c_str(), *plan, error)) plan.reset();
    return plan;
}

// Returns the end of the fault that ends last, or std::nullopt if the spec is empty or invalid.
std::optional<uint64_t> end_ns(const std::string& spec) {
    const auto plan = parse_or_null(spec);
    std::optional<uint64_t> latest;
    for (int i = 0; plan && i < plan->count; ++i) {
        latest = std::max(latest.value_or(0), plan->faults[i].until_ns);
    }
    return latest;
}

bool is_empty_or_matches(const char* glob, const std::string& name) { return !*glob || glob_match(glob, name.c_str()); }

}  // namespace

bool is_pod_targeted(const std::string& spec, const Json& pod) {
    const std::string name = text_at(pod, {"metadata", "name"});
    const std::string node = text_at(pod, {"spec", "nodeName"});
    const auto plan = parse_or_null(spec);
    return plan && std::any_of(plan->faults, plan->faults + plan->count, [&](const Fault& fault) {
               return is_empty_or_matches(fault.pod, name) && is_empty_or_matches(fault.node, node);
           });
}

std::string end_of_plan(const std::string& spec) {
    const auto end = end_ns(spec);
    if (!end || *end == kForever) return "";
    return utc(std::chrono::duration_cast<std::chrono::seconds>(std::chrono::nanoseconds(*end)).count());
}

void require_end(const std::string& spec) {
    if (spec.empty()) return;
    const auto plan = parse_or_null(spec);
    if (!plan) throw Error(fmt::format("invalid plan \"{}\": see docs/plans.md for its keys", spec));
    for (int i = 0; i < plan->count; ++i) {
        if (plan->faults[i].until_ns != kForever) continue;
        throw Error(
            fmt::format("invalid plan \"{}\": fault {} has no end; add until= with a time in UTC", spec, i + 1));
    }
}

bool is_armed(const std::string& spec) {
    if (spec.empty()) return false;
    const auto end = end_ns(spec);
    const std::chrono::nanoseconds now = std::chrono::system_clock::now().time_since_epoch();
    return !end || static_cast<uint64_t>(now.count()) < *end;
}

}  // namespace cudafault::kube
