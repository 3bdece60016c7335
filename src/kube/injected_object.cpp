// SPDX-License-Identifier: Apache-2.0
#include "kube/injected_object.hpp"

#include "kube/plan_object.hpp"
#include "kube/record.hpp"

namespace cudafault::kube {

WorkloadChoice where_injected(Client& client, Discovery& discovery, WorkloadChoice choice) {
    const std::string kind = choice.kind.empty() ? "deployments.apps" : choice.kind;
    Workload named;
    named.target = {discovery.resolve(kind), choice.in_namespace, choice.name};
    const std::optional<Anchor> anchor = find_anchor(client, choice.in_namespace, named.hash());
    if (!anchor && !find_plan(client, choice.in_namespace, named.hash())) return choice;
    if (anchor) choice.template_paths = anchor->record.template_paths;
    choice.kind = kind;
    choice.climb = false;
    return choice;
}

}  // namespace cudafault::kube
