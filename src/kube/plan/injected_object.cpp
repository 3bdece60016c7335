// SPDX-License-Identifier: Apache-2.0
#include "kube/plan/injected_object.hpp"

#include "kube/api/client/discovery.hpp"
#include "kube/object/workload_hash.hpp"
#include "kube/plan/plan_object.hpp"
#include "kube/record/record.hpp"

namespace cudafault::kube {

WorkloadChoice resolve_injected_workload(Client& client, Discovery& discovery, WorkloadChoice choice) {
    for (const ObjectRef& ref : possible_refs(discovery, choice)) {
        const std::string hash = workload_hash(ref);
        const std::optional<Anchor> anchor = find_anchor(client, choice.in_namespace, hash);
        if (!anchor && !find_plan(client, choice.in_namespace, hash)) continue;
        if (anchor) choice.template_paths = anchor->record.template_paths;
        if (choice.kind.empty()) choice.kind = ref.resource.qualified();
        choice.use_top_level_controller = false;
        break;
    }
    return choice;
}

}  // namespace cudafault::kube
