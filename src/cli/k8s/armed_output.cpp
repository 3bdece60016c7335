// SPDX-License-Identifier: Apache-2.0
#include "cli/k8s/armed_output.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cli/output.hpp"
#include "kube/plan/plan_spec.hpp"

namespace cudafault::cli {

namespace {

using kube::Acknowledgement;
using nlohmann::json;

const char* acknowledgement_text(Acknowledgement state) {
    switch (state) {
        case Acknowledgement::kYes: return "acknowledged";
        case Acknowledgement::kNotRunning: return "not running";
        case Acknowledgement::kUnknown: return "unknown";
        case Acknowledgement::kNo: break;
    }
    return "silent";
}

const char* note_for(Acknowledgement state) {
    switch (state) {
        case Acknowledgement::kYes: return "";
        case Acknowledgement::kNotRunning: return "reads the plan when it starts";
        case Acknowledgement::kUnknown: return "";
        case Acknowledgement::kNo: break;
    }
    return "not acknowledged: perhaps no process has made a CUDA call yet";
}

bool is_disarmed(const kube::Armed& armed) { return armed.plan.spec.empty(); }

std::string remark(const kube::Armed& armed, const kube::AcknowledgingContainer& container) {
    if (!is_disarmed(armed) && !kube::is_pod_targeted(armed.plan.spec, container.pod))
        return "not targeted by the plan";
    return container.why.empty() ? note_for(container.state) : container.why;
}

bool is_any_pod_targeted(const std::vector<kube::Armed>& all) {
    return std::any_of(all.begin(), all.end(), [](const kube::Armed& armed) {
        const auto is_targeted = [&](const auto& container) {
            return kube::is_pod_targeted(armed.plan.spec, container.pod);
        };
        return is_disarmed(armed) || std::any_of(armed.containers.begin(), armed.containers.end(), is_targeted);
    });
}

json containers_json(const kube::Armed& armed) {
    json pods = json::array();
    for (const auto& container : armed.containers) {
        pods.push_back({{"pod", kube::text_at(container.pod, {"metadata", "name"})},
                        {"node", kube::text_at(container.pod, {"spec", "nodeName"})},
                        {"container", container.container},
                        {"meant", kube::is_pod_targeted(armed.plan.spec, container.pod)},
                        {"acknowledged", container.state == Acknowledgement::kYes},
                        {"state", acknowledgement_text(container.state)}});
    }
    return pods;
}

json armed_workload_json(const kube::Armed& armed, const std::string& until) {
    return {{"workload", armed.plan.workload_text()},
            {"plan", armed.plan.name()},
            {"revision", armed.plan.revision},
            {"spec", armed.plan.spec},
            {"until", until.empty() ? json() : json(until)},
            {"pods", containers_json(armed)},
            {"notes", armed.notes}};
}

}  // namespace

json armed_json(const std::vector<kube::Armed>& all, const std::string& until) {
    json list = json::array();
    for (const kube::Armed& armed : all) list.push_back(armed_workload_json(armed, until));
    return list;
}

void print_armed(const std::vector<kube::Armed>& all) {
    Table table({"pod", "container", "node", "state", ""});
    bool has_rows = false;
    for (const kube::Armed& armed : all) {
        for (const auto& container : armed.containers) {
            has_rows = true;
            table.add({kube::text_at(container.pod, {"metadata", "name"}), container.container,
                       kube::text_at(container.pod, {"spec", "nodeName"}, "-"), acknowledgement_text(container.state),
                       remark(armed, container)});
        }
    }
    if (has_rows) fmt::print("{}", table.text("  "));
    if (!is_any_pod_targeted(all))
        fmt::print("  note: the plan targets no running pod; pods created later may match\n");
    for (const kube::Armed& armed : all) {
        const std::string workload = all.size() > 1 ? armed.plan.workload_text() + ": " : "";
        for (const std::string& note : armed.notes) fmt::print("  note: {}{}\n", workload, note);
    }
}

}  // namespace cudafault::cli
