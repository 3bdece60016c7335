// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/diagnosis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>

#include "kube/api/client/client.hpp"
#include "kube/api/client/resource.hpp"
#include "kube/api/common/json.hpp"
#include "kube/api/common/timestamp.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/object/owners.hpp"
#include "kube/workload/pod_state.hpp"
#include "kube/workload/revision.hpp"
#include "os/one_line.hpp"
#include "os/plural.hpp"

namespace cudafault::kube {

namespace {

using std::chrono::seconds;

constexpr seconds kSlow{30};          // a faster start is not reported
constexpr seconds kOverdue{10};       // after the end of the grace period
constexpr seconds kMaxEventAge{900};  // older events are ignored
constexpr size_t kMaxMessage = 400;   // maximum length of a quoted message
constexpr int kFirstBackOff = 10;     // seconds, doubled with each restart
constexpr int kMaxBackOff = 300;

// Shortens a long message from the cluster.
std::string shortened(const std::string& message) {
    std::string text = one_line(message);
    while (!text.empty() && (text.back() == ' ' || text.back() == '.')) text.pop_back();
    return text.size() > kMaxMessage ? text.substr(0, kMaxMessage) + "..." : text;
}

// The last line of a program's output is usually the most informative.
std::string last_line(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
    const size_t end = text.rfind('\n');
    return shortened(end == std::string::npos ? text : text.substr(end + 1));
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

std::optional<SystemTime> time_at(const Json& object, const Path& path) {
    return parse_timestamp(text_at(object, path));
}

std::optional<seconds> seconds_since(const Json& object, const Path& path, SystemTime now) {
    const auto time = time_at(object, path);
    if (!time) return std::nullopt;
    return std::max(seconds(0), std::chrono::duration_cast<seconds>(now - *time));
}

std::string reason_and_message(const Json& state) {
    const std::string reason = text_at(state, "reason");
    const std::string message = shortened(text_at(state, "message"));
    if (message.empty()) return reason;
    return reason.empty() ? message : reason + ": " + message;
}

// Parses the kubelet's "back-off 2m40s restarting failed container=main pod=...". The kubelet resets the delay after a
// long run without a crash, so the delay cannot be computed from the restart count alone.
std::optional<int> back_off_in(const std::string& message) {
    constexpr std::string_view kBefore = "back-off ";
    const size_t start = message.find(kBefore);
    if (start == std::string::npos) return std::nullopt;
    int sum = 0;
    const char* at = message.data() + start + kBefore.size();
    for (const char* const end = message.data() + message.size(); at < end && *at != ' ';) {
        int number = 0;
        const auto [unit, error] = std::from_chars(at, end, number);
        if (error != std::errc() || unit == end || number > kMaxBackOff || (*unit != 'm' && *unit != 's')) {
            return std::nullopt;
        }
        sum += *unit == 'm' ? number * 60 : number;
        at = unit + 1;
    }
    return sum;
}

int back_off_after(int64_t restarts) {
    const auto doublings = static_cast<int>(std::clamp<int64_t>(restarts - 1, 0, 5));
    return std::min(kFirstBackOff << doublings, kMaxBackOff);
}

std::string exit_of(const Json& terminated) {
    const std::string reason = text_at(terminated, "reason");
    const std::string why = reason.empty() || reason == "Error" || reason == "Completed" ? "" : " (" + reason + ")";
    const int64_t signal = number_at(terminated, {"signal"});
    if (signal > 0) return fmt::format("signal {}{}", signal, why);
    return fmt::format("exit code {}{}", number_at(terminated, {"exitCode"}), why);
}

std::string output_of(const Json& terminated) {
    const std::string line = last_line(text_at(terminated, "message"));
    return line.empty() ? "" : fmt::format(", last output \"{}\"", line);
}

class PodDiagnoser {
public:
    PodDiagnoser(const Json& pod, const std::vector<Json>& events, SystemTime now)
        : pod_(pod), events_(events), now_(now), name_(pod_name(pod)) {}

    Diagnosis find() const {
        if (is_finished(pod_)) return failed_pod();
        if (is_terminating(pod_)) return overdue_deletion();
        if (is_ready(pod_)) return {};
        for (const auto check :
             {&PodDiagnoser::lost_node, &PodDiagnoser::unscheduled_pod, &PodDiagnoser::init_containers,
              &PodDiagnoser::containers, &PodDiagnoser::readiness_gates}) {
            Diagnosis diagnosis = (this->*check)();
            if (!diagnosis.empty()) return diagnosis;
        }
        return {};
    }

private:
    Diagnosis failed_pod() const {
        if (text_at(pod_, {"status", "phase"}) != "Failed") return {};
        const std::string why = reason_and_message(value_at(pod_, "status"));
        if (why.empty()) {
            Diagnosis diagnosis = failed_container();
            if (!diagnosis.empty()) return diagnosis;
        }
        return {fmt::format("{} Failed{}{}", name_, why.empty() ? "" : ": ", why),
                fmt::format("check node {}, and delete the pod if its controller does not replace it", node())};
    }

    Diagnosis failed_container() const {
        for (const Json& status : value_at(value_at(pod_, "status"), "containerStatuses")) {
            const Json& ended = value_at(value_at(status, "state"), "terminated");
            if (number_at(ended, {"exitCode"}) == 0) continue;
            return ended_problem(ended, fmt::format("{} container {}", name_, text_at(status, "name")), false);
        }
        return {};
    }

    // The deletionTimestamp is the end of the grace period.
    Diagnosis overdue_deletion() const {
        const auto late = seconds_since(pod_, {"metadata", "deletionTimestamp"}, now_);
        if (!late || *late < kOverdue) return {};
        return {fmt::format("{} still exists {} s after its grace period", name_, late->count()),
                fmt::format("check that node {} is running, and check the pod's finalizers", node())};
    }

    // The node controller clears the pod's Ready condition and keeps the last status of the kubelet.
    Diagnosis lost_node() const {
        const Json* ready = condition_of(pod_, "Ready");
        const bool is_cleared_by_node_controller = ready && text_at(*ready, "status") != "True" &&
                                                   text_at(*ready, "reason").empty() &&
                                                   condition_status(pod_, "ContainersReady") == "True";
        if (!is_cleared_by_node_controller && text_at(pod_, {"status", "reason"}) != "NodeLost") return {};
        return {fmt::format("{} is on node {}, whose kubelet has stopped reporting", name_, node()),
                "repair the node, or delete its Node object"};
    }

    Diagnosis unscheduled_pod() const {
        const Json* condition = condition_of(pod_, "PodScheduled");
        if (!condition || text_at(*condition, "status") != "False") return {};
        if (text_at(*condition, "reason") == "SchedulingGated") {
            return {fmt::format("{} Pending: waiting for the removal of a scheduling gate", name_),
                    "check the controller that removes the gate, such as Kueue"};
        }
        std::string message = text_at(*condition, "message");
        message = shortened(message.substr(0, message.find(" preemption:")));
        return {fmt::format("{} Pending: {}", name_, message), scheduling_advice(message)};
    }

    static std::string scheduling_advice(const std::string& message) {
        if (contains(message, "Insufficient nvidia.com/") || contains(message, "cannot allocate all claims")) {
            return "all GPUs are in use: free one, or delete an old pod of the workload so that a new pod gets its GPU";
        }
        if (contains(message, "Insufficient ")) return "free the missing resource, or add a node";
        if (contains(message, "node affinity/selector"))
            return "check the name and labels of the node that the pod is pinned to";
        if (contains(message, "taint")) return "check the taints of the nodes";
        return "see the pod's events";
    }

    Diagnosis init_containers() const {
        for (const Json& status : value_at(value_at(pod_, "status"), "initContainerStatuses")) {
            Diagnosis diagnosis = container_problem(status, "init container");
            if (!diagnosis.empty()) return diagnosis;
        }
        return {};
    }

    Diagnosis containers() const {
        for (const Json& status : value_at(value_at(pod_, "status"), "containerStatuses")) {
            Diagnosis diagnosis = container_problem(status, "container");
            if (!diagnosis.empty()) return diagnosis;
        }
        return {};
    }

    Diagnosis container_problem(const Json& status, const char* kind) const {
        const bool is_init = kind != std::string_view("container");
        const std::string container_text = fmt::format("{} {} {}", name_, kind, text_at(status, "name"));
        const Json& state = value_at(status, "state");
        if (const Json& waiting = value_at(state, "waiting"); waiting.is_object())
            return waiting_problem(status, waiting, container_text);
        if (const Json& ended = value_at(state, "terminated"); ended.is_object())
            return ended_problem(ended, container_text, is_init);
        if (is_init || value_at(status, "ready") == true) return {};
        return unready_problem(value_at(state, "running"), container_text);
    }

    Diagnosis waiting_problem(const Json& status, const Json& waiting, const std::string& container_text) const {
        const std::string reason = text_at(waiting, "reason");
        if (reason == "CrashLoopBackOff") return crash_loop(status, waiting, container_text);
        if (reason.empty() || reason == "ContainerCreating" || reason == "PodInitializing")
            return slow_creation(container_text);
        const std::string what = fmt::format("{} {}", container_text, reason_and_message(waiting));
        if (contains(reason, "Image")) {
            return {fmt::format("{} (image {})", what, shortened(text_at(status, "image"))),
                    "check the image's name, its registry and the pull secret"};
        }
        if (reason == "CreateContainerConfigError") {
            return {what, "check the ConfigMaps and Secrets that its env refers to, and its securityContext"};
        }
        return {what, fmt::format("see the pod's events, and the container runtime of node {}", node())};
    }

    Diagnosis crash_loop(const Json& status, const Json& waiting, const std::string& container_text) const {
        const Json& last = value_at(value_at(status, "lastState"), "terminated");
        const int64_t restarts = number_at(status, {"restartCount"});
        const int back_off = back_off_in(text_at(waiting, "message")).value_or(back_off_after(restarts));
        const auto elapsed = seconds_since(last, {"finishedAt"}, now_);
        const std::string remaining =
            elapsed ? fmt::format(", next start in {} s", std::max<int64_t>(0, back_off - elapsed->count())) : "";
        return {
            fmt::format("{} CrashLoopBackOff: {}, the last with {}{}{}", container_text,
                        plural(static_cast<uint64_t>(restarts), "restart"), exit_of(last), output_of(last), remaining),
            fmt::format("see kubectl logs --previous {} -n {}", name_, pod_namespace(pod_))};
    }

    static Diagnosis ended_problem(const Json& ended, const std::string& container_text, bool is_init) {
        if (number_at(ended, {"exitCode"}) == 0 && is_init) return {};
        return {fmt::format("{} ended with {}{}", container_text, exit_of(ended), output_of(ended)), "see its log"};
    }

    Diagnosis slow_creation(const std::string& container_text) const {
        for (const char* reason :
             {"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedCreatePodContainer"}) {
            const std::string message = latest_message(reason);
            if (!message.empty()) {
                return {fmt::format("{} cannot be created: {}: {}", container_text, reason, message),
                        "create the missing object, or check the kubelet of node " + node()};
            }
        }
        const Json* scheduled = condition_of(pod_, "PodScheduled");
        if (!scheduled || condition_status(pod_, "PodScheduled") != "True" || is_init_running()) return {};
        const auto age = seconds_since(*scheduled, {"lastTransitionTime"}, now_);
        if (!age || *age < kSlow) return {};
        return {fmt::format("{} has not been created after {} s", container_text, age->count()),
                "see the pod's events, for example for a large image or a missing volume"};
    }

    bool is_init_running() const {
        const Json& statuses = value_at(value_at(pod_, "status"), "initContainerStatuses");
        return std::any_of(statuses.begin(), statuses.end(), [](const Json& status) {
            return value_at(value_at(status, "state"), "running").is_object();
        });
    }

    Diagnosis unready_problem(const Json& running, const std::string& container_text) const {
        const auto age = seconds_since(running, {"startedAt"}, now_);
        const std::string probe = latest_message("Unhealthy");
        if (probe.empty() && (!age || *age < kSlow)) return {};
        return {fmt::format("{} {} and is not ready{}{}", container_text,
                            age ? fmt::format("has been running for {} s", age->count()) : "is running",
                            probe.empty() ? "" : ": ", probe),
                "see its log and its readiness probe"};
    }

    Diagnosis readiness_gates() const {
        const Json* ready = condition_of(pod_, "Ready");
        if (!ready || text_at(*ready, "reason") != "ReadinessGatesNotReady") return {};
        return {fmt::format("{} is not ready: {}", name_, shortened(text_at(*ready, "message"))),
                "see the controller that sets its readiness gates"};
    }

    // Returns the message of the latest event with that reason.
    std::string latest_message(const char* reason) const {
        std::string message;
        for (const Json& event : events_) {
            if (text_at(event, "reason") == reason) message = shortened(text_at(event, "message"));
        }
        return message;
    }

    std::string node() const { return text_at(pod_, {"spec", "nodeName"}, "(none yet)"); }

    const Json& pod_;
    const std::vector<Json>& events_;
    SystemTime now_;
    std::string name_;
};

SystemTime time_of_event(const Json& event) {
    SystemTime latest{};
    for (const Path& path : {Path{"series", "lastObservedTime"}, Path{"lastTimestamp"}, Path{"eventTime"}}) {
        latest = std::max(latest, time_at(event, path).value_or(SystemTime{}));
    }
    return latest;
}

std::vector<Json> list_if_permitted(Client& client, const Collection& collection, const ListOptions& options) {
    try {
        return client.list_all(collection, options);
    } catch (const ApiError&) {
        return {};
    }
}

std::string newest_replica_set(Client& client, const Workload& workload) {
    std::string uid;
    int64_t newest = -1;
    for (const Json& replica_set : list_if_permitted(client, {replica_sets(), workload.ref.in_namespace}, {})) {
        if (!is_owned_by(replica_set, workload.uid()) || revision_number(replica_set) <= newest) continue;
        newest = revision_number(replica_set);
        uid = text_at(replica_set, {"metadata", "uid"});
    }
    return uid;
}

// Returns why pods are rejected, and what to do. `message` is from a condition or an event, which report the same error
// with different prefixes.
std::string creation_problem(const Workload& workload, std::string message) {
    constexpr std::string_view kPrefix = "Error creating: ";
    if (message.starts_with(kPrefix)) message.erase(0, kPrefix.size());
    message = shortened(message);
    const char* advice = "find the admission policy or quota that rejects them";
    if (contains(message, "exceeded quota")) advice = "raise the quota, or free part of it";
    if (contains(message, "violates PodSecurity"))
        advice = "change the namespace's pod security level to one that allows them";
    if (contains(message, "admission webhook") || contains(message, "ValidatingAdmissionPolicy")) {
        advice = "check the policy that rejects them";
    }
    return fmt::format("the controller of {} cannot create pods: {}; {}", workload.text(), message, advice);
}

class WorkloadDiagnoser {
public:
    WorkloadDiagnoser(Client& client, const Workload& workload) : client_(client), workload_(workload) {}

    std::vector<std::string> find_problems() {
        read_conditions();
        if (found_.empty()) read_events(workload_.uid());
        if (found_.empty() && workload_.ref.resource.qualified() == "deployments.apps") {
            read_events(newest_replica_set(client_, workload_));
        }
        if (!stalled_.empty()) found_.push_back(stalled_);
        return std::move(found_);
    }

private:
    void read_conditions() {
        const Json* failure = condition_of(workload_.object, "ReplicaFailure");
        if (failure && text_at(*failure, "status") == "True") {
            found_.push_back(creation_problem(workload_, text_at(*failure, "message")));
        }
        const Json* progress = condition_of(workload_.object, "Progressing");
        if (progress && text_at(*progress, "reason") == "ProgressDeadlineExceeded") {
            stalled_ = fmt::format("{} has exceeded its progressDeadlineSeconds: {}; see its pods", workload_.text(),
                                   shortened(text_at(*progress, "message")));
        }
    }

    void read_events(const std::string& uid) {
        if (uid.empty()) return;
        std::string message;
        for (const Json& event : warnings_on(client_, workload_.ref.in_namespace, uid)) {
            const bool is_recent = time_of_event(event) + kMaxEventAge > std::chrono::system_clock::now();
            if (is_recent && text_at(event, "reason") == "FailedCreate") message = text_at(event, "message");
        }
        if (!message.empty()) found_.push_back(creation_problem(workload_, message));
    }

    Client& client_;
    const Workload& workload_;
    std::vector<std::string> found_;
    std::string stalled_;
};

}  // namespace

Diagnosis diagnose(const Json& pod, const std::vector<Json>& events, SystemTime now) {
    return PodDiagnoser(pod, events, now).find();
}

std::string diagnosis_text(const Json& pod, const std::vector<Json>& events, SystemTime now) {
    return diagnose(pod, events, now).text();
}

std::vector<std::string> diagnose_workload(Client& client, const Workload& workload) {
    return WorkloadDiagnoser(client, workload).find_problems();
}

std::vector<Json> warnings_on(Client& client, const std::string& in_namespace, const std::string& uid) {
    if (uid.empty()) return {};
    std::vector<Json> found =
        list_if_permitted(client, {events(), in_namespace}, {"", "involvedObject.uid=" + uid + ",type=Warning"});
    std::stable_sort(found.begin(), found.end(),
                     [](const Json& a, const Json& b) { return time_of_event(a) < time_of_event(b); });
    return found;
}

}  // namespace cudafault::kube
