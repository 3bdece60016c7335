// SPDX-License-Identifier: Apache-2.0
// The one truth on what is armed in a workload: the ConfigMap cudafault-plan-<hash>, which its pods mount.
#pragma once

#include <ctime>
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
};

// The text in the ConfigMap and in the pods: a line "#<revision>", then the spec.
std::string plan_text(uint64_t revision, const std::string& spec);

// As the library reads it: a text without its first line has revision 0, and is the spec as a whole.
PlanObject plan_from(const Json& config_map);

std::optional<PlanObject> find_plan(Client& client, const std::string& in_namespace, const std::string& hash);
std::vector<PlanObject> all_plans(Client& client, const std::string& in_namespace);

// With nothing armed; the one that the workload has already is left and emptied. `selector` finds the workload's pods,
// and may be empty if only their volumes tell.
PlanObject create_plan(Client& client, const Workload& workload, const std::string& selector);

// The next revision, with this spec. Read again and again after lost races, five times.
PlanObject write_plan(Client& client, const PlanObject& plan, const std::string& spec);

// The pods that mount it, those that have ended not.
std::vector<Json> pods_with(Client& client, const PlanObject& plan);

// Makes the kubelets look at the pods' volumes now, and not within a minute. Gives the names of those that could not
// be told, with the reason.
std::vector<std::string> nudge(Client& client, const std::vector<Json>& pods, uint64_t revision);

// UTC, to the second: 2026-11-24T13:00:00Z.
std::string utc(std::time_t time);
std::string utc_now();

// user@host, for people.
std::string this_user();

}  // namespace cudafault::kube
