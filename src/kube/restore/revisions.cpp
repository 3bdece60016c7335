// SPDX-License-Identifier: Apache-2.0
#include "kube/restore/revisions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "kube/api/client/client.hpp"
#include "kube/api/client/resource.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/api/transport/session.hpp"
#include "kube/names.hpp"
#include "kube/object/mentions.hpp"
#include "kube/object/owners.hpp"
#include "kube/object/well_known.hpp"
#include "kube/workload/kinds.hpp"
#include "kube/workload/pods.hpp"
#include "kube/workload/revision.hpp"

namespace cudafault::kube {

namespace {

constexpr std::chrono::milliseconds kRevisionPoll{100};

// A controller that has not observed the reverted template could create the injected revision again.
void wait_until_observed(Client& client, const Workload& workload, Deadline deadline) {
    if (workload.ref.resource.group != "apps") return;
    for (;;) {
        const Json object = client.get(workload.ref);
        if (number_at(object, {"status", "observedGeneration"}) >= number_at(object, {"metadata", "generation"}))
            return;
        client.session().wait_until(std::min(deadline, after(kRevisionPoll)));
    }
}

// Finds the injected revisions by the volume of the workload's plan, which every injected template has.
std::vector<Json> list_injected_revisions(Client& client, const Workload& workload, const Resource& history) {
    const std::string selector = workload.ref.resource.group == "apps" ? pod_selector(workload) : "";
    const std::string plan = workload.own_name(names::kPlanPrefix);
    const char* field = history.kind == "ReplicaSet" ? "spec" : "data";
    std::vector<Json> found = client.list_all({history, workload.ref.in_namespace}, {selector, "", 100});
    std::erase_if(found, [&](const Json& item) { return !has_mention(item.value(field, Json()), plan); });
    return found;
}

void remove_revision(Client& client, const Workload& workload, const Resource& history, const Json& revision) {
    try {
        DeleteOptions preconditions;
        preconditions.uid = text_at(revision, {"metadata", "uid"});
        client.remove({history, workload.ref.in_namespace, text_at(revision, {"metadata", "name"})}, preconditions);
    } catch (const ApiError& error) {
        if (!error.is_not_found()) throw;
    }
}

// Deletes the injected revisions without pods. Returns true if a revision still has pods.
bool remove_revisions(Client& client, const Workload& workload, const Resource& history) {
    bool any_has_pods = false;
    for (const Json& revision : list_injected_revisions(client, workload, history)) {
        const bool has_pods =
            number_at(revision, {"spec", "replicas"}) > 0 || number_at(revision, {"status", "replicas"}) > 0;
        any_has_pods = any_has_pods || has_pods;
        if (!has_pods) remove_revision(client, workload, history, revision);
    }
    return any_has_pods;
}

// Returns the revisions that the workload owns.
std::vector<Json> revisions_of(Client& client, const Workload& workload, const Resource& history) {
    std::vector<Json> found = client.list_all({history, workload.ref.in_namespace}, {pod_selector(workload), "", 100});
    std::erase_if(found, [&](const Json& item) { return !is_owned_by(item, workload.uid()); });
    return found;
}

WriteOptions as_controller() {
    WriteOptions options;
    options.field_manager = "kube-controller-manager";  // so that the controller stays the manager of the field
    return options;
}

// Returns the entries of a revision history before `number`: "1" for "1,3,5" and 3. The result may be empty.
std::string history_before(std::string history, int64_t number) {
    while (!history.empty()) {
        const size_t comma = history.rfind(','), last = comma == std::string::npos ? 0 : comma + 1;
        if (std::atoll(history.c_str() + last) < number) break;
        history.erase(last == 0 ? 0 : comma);
    }
    return history;
}

JsonPatch renumbering(const Json& revision, int64_t number) {
    JsonPatch patch;
    patch.only_if_unchanged(revision);
    if (revision.contains("revision")) return patch.replace("/revision", number);
    const std::string before =
        history_before(text_at(revision, {"metadata", "annotations", well_known::kDeploymentRevisionHistory}), number);
    const std::string history_at = json_pointer({"metadata", "annotations", well_known::kDeploymentRevisionHistory});
    patch.replace(json_pointer({"metadata", "annotations", well_known::kDeploymentRevision}), std::to_string(number));
    if (!find(revision, {"metadata", "annotations", well_known::kDeploymentRevisionHistory})) return patch;
    return before.empty() ? patch.remove(history_at) : patch.replace(history_at, before);
}

void remove_mark(Client& client, const std::string& kind, const Resource& history, const Json& revision,
                 UnmarkedRevisions& result) {
    const ObjectRef ref{history, text_at(revision, {"metadata", "namespace"}), text_at(revision, {"metadata", "name"})};
    JsonPatch patch;
    patch.test("/metadata/uid", text_at(revision, {"metadata", "uid"}));
    patch.remove(json_pointer({"metadata", "annotations", names::kInjected}));
    try {
        client.patch(ref, patch, as_controller());
        result.changed = true;
    } catch (const ApiError& error) {
        if (error.is_not_found() || error.is_conflict()) return;  // the object or its annotation was deleted
        if (!error.is_forbidden()) throw;
        result.notes.push_back(fmt::format(
            "{0} {1} still has cudafault's annotation ({2}): run `kubectl annotate {0} {1} -n {3} {4}-`, "
            "or run `restore` with the Role that `cudafault k8s rbac restore --exact --kind {5} -n {3}` prints",
            history.qualified(), ref.name, error.what(), ref.in_namespace, names::kInjected, kind));
    }
}

}  // namespace

RevisionNumbers injected_revision_numbers(Client& client, const Workload& workload, Deadline deadline) {
    RevisionNumbers numbers;
    wait_until_observed(client, workload, deadline);
    for (const Resource& history : histories_of(workload.ref.resource.group, workload.ref.resource.kind)) {
        for (const Json& revision : list_injected_revisions(client, workload, history)) {
            numbers.add({revision_number(revision), revision_number(revision)});
        }
    }
    return numbers;
}

void remove_injected_revisions(Client& client, const Workload& workload, Deadline deadline) {
    wait_until_observed(client, workload, deadline);
    for (const Resource& history : histories_of(workload.ref.resource.group, workload.ref.resource.kind)) {
        while (remove_revisions(client, workload, history)) {
            client.session().wait_until(std::min(deadline, after(kRevisionPoll)));
        }
    }
}

UnmarkedRevisions remove_marks_of_revisions(Client& client, const Workload& workload) {
    UnmarkedRevisions result;
    if (workload.ref.resource.group != "apps") return result;
    for (const Resource& history : histories_of("apps", workload.ref.resource.kind)) {
        for (const Json& revision : revisions_of(client, workload, history)) {
            if (find(revision, {"metadata", "annotations", names::kInjected})) {
                remove_mark(client, workload.ref.resource.kind, history, revision, result);
            }
        }
    }
    return result;
}

bool reset_revision_number(Client& client, const Workload& workload, const RevisionNumbers& numbers) {
    if (workload.ref.resource.group != "apps" || numbers.first < 2) return true;
    const Resource history = histories_of("apps", workload.ref.resource.kind).front();
    std::vector<Json> remaining = revisions_of(client, workload, history);
    if (remaining.empty()) return false;
    std::sort(remaining.begin(), remaining.end(),
              [](const Json& a, const Json& b) { return revision_number(a) > revision_number(b); });
    const Json& newest = remaining.front();
    const int64_t before = numbers.first - 1;
    if (revision_number(newest) == before) return true;  // an earlier restore reset the number before it was killed
    // If a restore between two injections did not finish, another template of the workload may have this number.
    const bool is_taken = remaining.size() > 1 && revision_number(remaining[1]) >= before;
    if (revision_number(newest) != numbers.last + 1 || is_taken) return false;
    client.patch({history, workload.ref.in_namespace, text_at(newest, {"metadata", "name"})},
                 renumbering(newest, before), as_controller());
    return true;
}

}  // namespace cudafault::kube
