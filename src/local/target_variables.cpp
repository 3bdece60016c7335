// SPDX-License-Identifier: Apache-2.0
#include "local/target_variables.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "fault/values.hpp"
#include "fault/words.hpp"
#include "local/spec.hpp"
#include "local/system.hpp"

namespace cudafault::local {

namespace {

constexpr const char* kNodeVariable = "CUDAFAULT_NODE";
constexpr const char* kPodVariable = "CUDAFAULT_POD";

// Returns the number of ranks, from the variables of the launcher that started this process (D-113); 0: unknown.
uint64_t job_size() {
    constexpr std::pair<const char*, const char*> kVariables[] = {
        {"RANK", "WORLD_SIZE"}, {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"}, {"PMI_RANK", "PMI_SIZE"}};
    for (const auto& [rank, ranks] : kVariables) {
        if (!std::getenv(rank)) continue;
        const std::string text = environment_variable(ranks);
        uint64_t size = 0;
        return parse_number(text_of(text), size) ? size : 0;
    }
    return 0;
}

std::string reason_not_matched(const char* key, const char* glob, const char* variable, const std::string& value) {
    if (!*glob || glob_match(Text(glob), text_of(value))) return "";
    return fmt::format(
        "{0}={1} selects no process of a run on this machine, because {2} is {3}, so the fault cannot fire: "
        "remove {0}=, or arm the plan with `cudafault k8s arm`",
        key, glob, variable, value.empty() ? "not set" : fmt::format("\"{}\"", value));
}

}  // namespace

TargetVariables target_variables() {
    return {job_size(), environment_variable(kNodeVariable), environment_variable(kPodVariable)};
}

std::string reason_not_selected(const Fault& fault, const TargetVariables& variables) {
    const std::string reason = reason_not_matched("node", fault.node, kNodeVariable, variables.node);
    return reason.empty() ? reason_not_matched("pod", fault.pod, kPodVariable, variables.pod) : reason;
}

std::vector<std::string> target_notes(const Plan& plan, const TargetVariables& variables) {
    std::vector<std::string> notes;
    for (int i = 0; i < plan.count; ++i) {
        const std::string reason = reason_not_selected(plan.faults[i], variables);
        if (!reason.empty()) notes.push_back(reason);
    }
    return notes;
}

void to_json(nlohmann::json& out, const TargetVariables& variables) {
    out = {{"ranks", variables.ranks}, {"node", variables.node}, {"pod", variables.pod}};
}

void from_json(const nlohmann::json& in, TargetVariables& variables) {
    variables.ranks = in.at("ranks").get<uint64_t>();
    variables.node = in.at("node").get<std::string>();
    variables.pod = in.at("pod").get<std::string>();
}

}  // namespace cudafault::local
