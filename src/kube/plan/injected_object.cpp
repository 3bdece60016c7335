// SPDX-License-Identifier: Apache-2.0
#include "kube/plan/injected_object.hpp"

#include "kube/api/transport/api_error.hpp"
#include "kube/plan/plan_object.hpp"
#include "kube/record/record.hpp"

namespace cudafault::kube {

std::vector<Target> targets_meant(Discovery& discovery, const WorkloadChoice& choice) {
    if (!choice.kind.empty()) return {{discovery.resolve(choice.kind), choice.in_namespace, choice.name}};
    std::vector<Target> targets;
    for (const char* kind : {"dynamographdeployments.nvidia.com", "deployments.apps"}) {
        try {
            targets.push_back({discovery.resolve(kind), choice.in_namespace, choice.name});
        } catch (const ApiError&) {
            throw;
        } catch (const Error&) {  // a kind that need not be served
        }
    }
    return targets;
}

WorkloadChoice where_injected(Client& client, Discovery& discovery, WorkloadChoice choice) {
    for (const Target& target : targets_meant(discovery, choice)) {
        Workload named;
        named.target = target;
        const std::optional<Anchor> anchor = find_anchor(client, choice.in_namespace, named.hash());
        if (!anchor && !find_plan(client, choice.in_namespace, named.hash())) continue;
        if (anchor) choice.template_paths = anchor->record.template_paths;
        if (choice.kind.empty()) choice.kind = target.resource.qualified();
        choice.climb = false;
        break;
    }
    return choice;
}

}  // namespace cudafault::kube
