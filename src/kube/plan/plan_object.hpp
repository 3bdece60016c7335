// SPDX-License-Identifier: Apache-2.0
// The one truth on what is armed in a workload: the ConfigMap cudafault-plan-<hash>, which its pods mount.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kube/workload/workload.hpp"

namespace cudafault::kube {

struct PlanObject {
    Json config_map;
    uint64_t revision = 0;   // counts the changes
    std::string spec;        // empty: nothing is armed
    std::string changed_at;  // UTC
    std::string changed_by;

    std::string name() const;
    std::string hash() const;  // of the workload
    std::string in_namespace() const;
    // From its owner reference: how load_workload finds the workload (nothing without an owner), and
    // "deployment.apps/web".
    std::optional<WorkloadChoice> workload() const;
    std::string workload_text() const;
};

// The text in the ConfigMap and in the pods: a line "#<revision>", then the spec.
std::string plan_text(uint64_t revision, const std::string& spec);

// As the library reads it: a text without its first line has revision 0, and is the spec as a whole.
PlanObject plan_from(const Json& config_map);

std::optional<PlanObject> find_plan(Client& client, const std::string& in_namespace, const std::string& hash);
std::vector<PlanObject> all_plans(Client& client, const std::string& in_namespace);

// Creates a plan with nothing armed, or empties the one that the workload has. `selector` finds the workload's pods; it
// may be empty if only their volumes tell. `by` is the author.
PlanObject create_plan(Client& client, const Workload& workload, const std::string& selector, const std::string& by);

// Writes the next revision with this spec over whatever the plan is by then; an empty spec disarms. Retries up to five
// conflicts. Throws Error for a fault without an end: see require_end.
PlanObject write_plan(Client& client, const PlanObject& plan, const std::string& spec, const std::string& by);

// The same, but throws Error if another client has written a revision since `plan` was read.
PlanObject replace_plan(Client& client, const PlanObject& plan, const std::string& spec, const std::string& by);

// The plan as it is now. Throws ApiError.
PlanObject reread(Client& client, const PlanObject& plan);

// "\"xid=79\" (revision 7, by eve@desk at 2026-11-24T13:00:00Z)"
std::string description_of(const PlanObject& plan);

// The pods that mount it, those that have ended not.
std::vector<Json> pods_with(Client& client, const PlanObject& plan);

// Makes the kubelets look at the pods' volumes now, and not within a minute. Gives the names of those that could not
// be told, with the reason.
std::vector<std::string> nudge(Client& client, const std::vector<Json>& pods, uint64_t revision);

}  // namespace cudafault::kube
