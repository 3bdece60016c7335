// SPDX-License-Identifier: Apache-2.0
#include "kube/plan/workload_status.hpp"

#include <fmt/format.h>

#include "kube/api/client/discovery.hpp"
#include "kube/api/client/parallel.hpp"
#include "kube/plan/arm.hpp"
#include "kube/plan/injected_object.hpp"
#include "kube/plan/plan_spec.hpp"
#include "kube/workload/diagnosis.hpp"
#include "kube/workload/pod_state.hpp"
#include "kube/workload/pods.hpp"

namespace cudafault::kube {

namespace {

Termination termination_of(const Json& terminated) {
    return {number_at(terminated, {"exitCode"}), number_at(terminated, {"signal"}), text_at(terminated, {"reason"}),
            text_at(terminated, {"message"}), text_at(terminated, {"finishedAt"})};
}

void read_containers(const Json& pod, PodStatus& status) {
    for (const Json* container : running_container_statuses(pod)) {
        status.restarts += static_cast<int>(number_at(*container, {"restartCount"}));
        const Json* ended = find(*container, {"state", "terminated"});
        if (!ended) ended = find(*container, {"lastState", "terminated"});
        if (!ended || !ended->is_object()) continue;
        const Termination found = termination_of(*ended);
        // Containers come before native sidecars, so a container takes precedence if both ended in the same second.
        if (!status.terminated || found.finished_at > status.terminated->finished_at) status.terminated = found;
    }
}

// Only events contain the reason why a container is not created.
std::string diagnosis_with_events(Client& client, const Json& pod) {
    std::string diagnosis = diagnosis_text(pod);
    if (!diagnosis.empty() || is_ready(pod) || is_terminating(pod)) return diagnosis;
    return diagnosis_text(pod, warnings_on(client, pod_namespace(pod), pod_uid(pod)));
}

PodStatus status_of_pod(Client& client, const Json& pod, const std::string& hash) {
    PodStatus status;
    status.name = text_at(pod, {"metadata", "name"});
    status.uid = text_at(pod, {"metadata", "uid"});
    status.node = text_at(pod, {"spec", "nodeName"});
    status.address = text_at(pod, {"status", "podIP"});
    status.phase = text_at(pod, {"status", "phase"});
    status.injected = is_injected(pod, hash);
    status.ready = is_ready(pod);
    status.terminating = is_terminating(pod);
    status.diagnosis = diagnosis_with_events(client, pod);
    read_containers(pod, status);
    if (!status.injected) return status;
    for (const std::string& container : injected_containers(pod)) {
        status.evidence.push_back(evidence_of(client, pod, container));
    }
    return status;
}

std::optional<Record> record_of(Client& client, const Workload& workload) {
    const std::optional<Anchor> anchor = find_anchor(client, workload.ref);
    if (!anchor) return {};
    return anchor->record;
}

}  // namespace

const PlanObject* WorkloadStatus::armed() const { return plan && is_armed(plan->spec) ? &*plan : nullptr; }

const PlanObject* WorkloadStatus::expired() const {
    return plan && !plan->spec.empty() && !is_armed(plan->spec) ? &*plan : nullptr;
}

WorkloadStatus status_of(Client& client, Discovery& discovery, const WorkloadChoice& choice) {
    WorkloadStatus status;
    status.workload = load_workload(client, discovery, resolve_injected_workload(client, discovery, choice));
    const std::string hash = status.workload.hash();
    status.mark = InjectedMark::of(status.workload.object);
    status.record = record_of(client, status.workload);
    status.plan = find_plan(client, status.workload.ref.in_namespace, hash);
    for (const Json& pod : pods_of(client, discovery, status.workload, PodScope::kWithFinished)) {
        if (is_finished(pod) && !is_injected(pod, hash)) continue;
        status.pods.push_back(status_of_pod(client, pod, hash));
    }
    return status;
}

std::vector<WorkloadStatus> status_of_each(Client& client, std::vector<WorkloadChoice> choices) {
    std::vector<WorkloadStatus> all(choices.size());
    in_parallel(client, choices.size(), [&](Client& thread_client, Discovery& discovery, size_t index) {
        choices[index].accept_refused = true;
        all[index] = status_of(thread_client, discovery, choices[index]);
    });
    return all;
}

std::vector<WorkloadStatus> status_of_all(Client& client, const std::string& in_namespace) {
    std::vector<WorkloadChoice> choices;
    for (const PlanObject& plan : all_plans(client, in_namespace)) {
        if (const auto owner = plan.workload()) choices.push_back(*owner);
    }
    return status_of_each(client, choices);
}

}  // namespace cudafault::kube
