// SPDX-License-Identifier: Apache-2.0
#include "kube/revisions.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kube/api/api_error.hpp"
#include "kube/names.hpp"
#include "kube/resources.hpp"

namespace cudafault::kube {

namespace {

constexpr std::chrono::milliseconds kPoll{100};

// Every injected template has the workload's plan as a volume.
bool mentions(const Json& value, const std::string& name) {
    if (value.is_string()) return value == name;
    return value.is_structured() &&
           std::any_of(value.begin(), value.end(), [&](const Json& part) { return mentions(part, name); });
}

// What an operator makes of another kind may have either.
std::vector<Resource> histories_of(const Workload& workload) {
    const std::string& kind = workload.target.resource.kind;
    if (kind == "ReplicaSet" || kind == "CronJob") return {};
    if (workload.target.resource.group != "apps") return {replica_sets(), controller_revisions()};
    if (kind == "Deployment") return {replica_sets()};
    return {controller_revisions()};
}

// Else it could make our template anew.
void wait_until_observed(Client& client, const Workload& workload, Deadline deadline) {
    for (;;) {
        const Json object = client.get(workload.target);
        if (number_at(object, {"status", "observedGeneration"}) >= number_at(object, {"metadata", "generation"}))
            return;
        client.session().wait_until(std::min(deadline, after(kPoll)));
    }
}

std::vector<Json> own_revisions(Client& client, const Workload& workload, const Resource& history) {
    std::vector<Json> found;
    const std::string selector = workload.target.resource.group == "apps" ? pod_selector(workload) : "";
    const std::string plan = workload.by_name(names::kPlanPrefix);
    client.list({history, workload.target.in_namespace}, {selector, "", 100}, [&](Page page) {
        if (page.is_first) found.clear();
        for (Json& item : page.items) {
            if (mentions(item.value(history.kind == "ReplicaSet" ? "spec" : "data", Json()), plan)) {
                found.push_back(std::move(item));
            }
        }
    });
    return found;
}

void remove_revision(Client& client, const Workload& workload, const Resource& history, const Json& revision) {
    try {
        DeleteOptions same;
        same.uid = text_at(revision, {"metadata", "uid"});
        client.remove({history, workload.target.in_namespace, text_at(revision, {"metadata", "name"})}, same);
    } catch (const ApiError& error) {
        if (!error.is_not_found()) throw;
    }
}

// Whether one still has pods.
bool remove_revisions(Client& client, const Workload& workload, const Resource& history) {
    bool busy = false;
    for (const Json& revision : own_revisions(client, workload, history)) {
        const bool has_pods =
            number_at(revision, {"spec", "replicas"}) > 0 || number_at(revision, {"status", "replicas"}) > 0;
        busy = busy || has_pods;
        if (!has_pods) remove_revision(client, workload, history, revision);
    }
    return busy;
}

}  // namespace

void remove_own_revisions(Client& client, const Workload& workload, Deadline deadline) {
    if (workload.target.resource.group == "apps") wait_until_observed(client, workload, deadline);
    for (const Resource& history : histories_of(workload)) {
        while (remove_revisions(client, workload, history))
            client.session().wait_until(std::min(deadline, after(kPoll)));
    }
}

}  // namespace cudafault::kube
