// SPDX-License-Identifier: Apache-2.0
// Reads and writes the plan of a workload: the ConfigMap cudafault-plan-<hash>, which the workload's pods mount.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kube/workload/workload.hpp"

namespace cudafault::kube {

struct PlanObject {
    Json config_map;
    uint64_t revision = 0;   // increases with each change
    std::string spec;        // empty if nothing is armed
    std::string changed_at;  // UTC
    std::string changed_by;

    std::string name() const;
    std::string hash() const;  // hash of the workload
    std::string in_namespace() const;
    // workload() returns the choice that load_workload() needs, or std::nullopt if the ConfigMap does not name its
    // workload. workload_text() returns ObjectRef::text() of the workload if the ConfigMap names it, or else of
    // the ConfigMap.
    std::optional<WorkloadChoice> workload() const;
    std::string workload_text() const;
};

// Returns the text of the ConfigMap: the line "#<revision>", then the spec.
std::string plan_text(uint64_t revision, const std::string& spec);

// Parses the ConfigMap as the library does: without a revision line the revision is 0 and the whole text is the spec.
PlanObject plan_from(const Json& config_map);

std::optional<PlanObject> find_plan(Client& client, const std::string& in_namespace, const std::string& hash);
std::vector<PlanObject> all_plans(Client& client, const std::string& in_namespace);

// Creates a plan with nothing armed, or disarms the existing plan of the workload. `selector` matches the pods of the
// workload, or is empty if the pods can be found only by their volumes. `by` is the author.
PlanObject create_plan(Client& client, const Workload& workload, const std::string& selector, const std::string& by);

// Writes the next revision with this spec, even if the plan changed since it was read. An empty spec disarms. Retries
// up to five conflicts. Throws Error for a fault without an end: see require_end.
PlanObject write_plan(Client& client, const PlanObject& plan, const std::string& spec, const std::string& by);

// Like write_plan, but throws Error if another client has written a revision since `plan` was read.
PlanObject replace_plan(Client& client, const PlanObject& plan, const std::string& spec, const std::string& by);

// Reads the plan again. Throws ApiError.
PlanObject reread(Client& client, const PlanObject& plan);

// Returns a string such as "\"xid=79\" (revision 7, by eve@desk at 2026-11-24T13:00:00Z)".
std::string description_of(const PlanObject& plan);

// Returns the pods that mount the plan, without finished pods.
std::vector<Json> pods_with(Client& client, const PlanObject& plan);

// Makes the kubelets update the pods' volumes immediately instead of within a minute. Returns the names of the pods for
// which this failed, each with the reason.
std::vector<std::string> nudge(Client& client, const std::vector<Json>& pods, uint64_t revision);

}  // namespace cudafault::kube
