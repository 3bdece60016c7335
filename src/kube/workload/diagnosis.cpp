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
#include "kube/api/common/one_line.hpp"
#include "kube/api/common/timestamp.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/object/owners.hpp"
#include "kube/workload/pod_state.hpp"

namespace cudafault::kube {

namespace {

using std::chrono::seconds;

constexpr seconds kSlow{30};             // a faster start is not reported
constexpr seconds kOverdue{10};          // after the end of the grace period
constexpr seconds kRecent{900};          // older events are ignored
constexpr size_t kShownOfMessage = 400;  // maximum length of a quoted message
constexpr int kFirstBackOff = 10;        // seconds, doubled with each restart
constexpr int kLongestBackOff = 300;

// Shortens a long message of the cluster.
std::string shown(const std::string& message) {
    std::string text = one_line(message);
    while (!text.empty() && (text.back() == ' ' || text.back() == '.')) text.pop_back();
    return text.size() > kShownOfMessage ? text.substr(0, kShownOfMessage) + "..." : text;
}

// The last line of a program's output is usually the most informative.
std::string last_line(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
    const size_t end = text.rfind('\n');
    return shown(end == std::string::npos ? text : text.substr(end + 1));
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

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
    const std::string message = shown(text_at(state, "message"));
    if (message.empty()) return reason;
    return reason.empty() ? message : reason + ": " + message;
}

// Parses the kubelet's "back-off 2m40s restarting failed container=main pod=...". The kubelet resets the delay after a
// long run without a crash, so the restart count alone does not give it.
std::optional<int> back_off_said(const std::string& message) {
    constexpr std::string_view kBefore = "back-off ";
    const size_t start = message.find(kBefore);
    if (start == std::string::npos) return std::nullopt;
    int sum = 0;
    const char* at = message.data() + start + kBefore.size();
    for (const char* const end = message.data() + message.size(); at < end && *at != ' ';) {
        int number = 0;
        const auto [unit, error] = std::from_chars(at, end, number);
        if (error != std::errc() || unit == end || number > kLongestBackOff || (*unit != 'm' && *unit != 's')) {
            return std::nullopt;
        }
        sum += *unit == 'm' ? number * 60 : number;
        at = unit + 1;
    }
    return sum;
}

int back_off_after(int64_t restarts) {
    const auto doublings = static_cast<int>(std::clamp<int64_t>(restarts - 1, 0, 5));
    return std::min(kFirstBackOff << doublings, kLongestBackOff);
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
    return line.empty() ? "" : fmt::format(", saying \"{}\"", line);
}

class PodDiagnoser {
public:
    PodDiagnoser(const Json& pod, const std::vector<Json>& events, SystemTime now)
        : pod_(pod), events_(events), now_(now), name_(pod_name(pod)) {}

    Diagnosis find() const {
        if (is_finished(pod_)) return failed();
        if (is_terminating(pod_)) return overdue();
        if (is_ready(pod_)) return {};
        for (const auto look : {&PodDiagnoser::lost, &PodDiagnoser::unscheduled, &PodDiagnoser::init_containers,
                                &PodDiagnoser::containers, &PodDiagnoser::gates}) {
            Diagnosis diagnosis = (this->*look)();
            if (!diagnosis.empty()) return diagnosis;
        }
        return {};
    }

private:
    Diagnosis failed() const {
        if (text_at(pod_, {"status", "phase"}) != "Failed") return {};
        const std::string why = reason_and_message(value_at(pod_, "status"));
        return {fmt::format("{} Failed{}{}", name_, why.empty() ? "" : ": ", why),
                fmt::format("look at node {}, and delete the pod if nothing replaces it", node())};
    }

    // deletionTimestamp is when the grace period ends.
    Diagnosis overdue() const {
        const auto late = seconds_since(pod_, {"metadata", "deletionTimestamp"}, now_);
        if (!late || *late < kOverdue) return {};
        return {fmt::format("{} should be gone since {} s", name_, late->count()),
                fmt::format("check that node {} is up, and the pod's finalizers", node())};
    }

    // The node controller clears the pod's Ready condition and keeps the last status of the kubelet.
    Diagnosis lost() const {
        const Json* ready = condition_of(pod_, "Ready");
        const bool taken_away = ready && text_at(*ready, "status") != "True" && text_at(*ready, "reason").empty() &&
                                condition_status(pod_, "ContainersReady") == "True";
        if (!taken_away && text_at(pod_, {"status", "reason"}) != "NodeLost") return {};
        return {fmt::format("{} is on node {}, which does not report any more", name_, node()),
                "bring the node back, or delete its Node object"};
    }

    Diagnosis unscheduled() const {
        const Json* condition = condition_of(pod_, "PodScheduled");
        if (!condition || text_at(*condition, "status") != "False") return {};
        if (text_at(*condition, "reason") == "SchedulingGated") {
            return {fmt::format("{} Pending: it waits for a scheduling gate", name_),
                    "see who has to open it, a queue of Kueue for one"};
        }
        std::string message = text_at(*condition, "message");
        message = shown(message.substr(0, message.find(" preemption:")));
        return {fmt::format("{} Pending: {}", name_, message), scheduling_advice(message)};
    }

    static std::string scheduling_advice(const std::string& message) {
        if (has(message, "Insufficient nvidia.com/") || has(message, "cannot allocate all claims")) {
            return "every GPU is taken: free one, or delete an old pod of the workload so that a new one gets its GPU";
        }
        if (has(message, "Insufficient ")) return "free what is short, or add a node";
        if (has(message, "node affinity/selector")) return "check the node it is pinned to, by name and labels";
        if (has(message, "taint")) return "check the taints of the nodes";
        return "see the pod's events";
    }

    Diagnosis init_containers() const {
        for (const Json& status : value_at(value_at(pod_, "status"), "initContainerStatuses")) {
            Diagnosis diagnosis = of_container(status, "init container");
            if (!diagnosis.empty()) return diagnosis;
        }
        return {};
    }

    Diagnosis containers() const {
        for (const Json& status : value_at(value_at(pod_, "status"), "containerStatuses")) {
            Diagnosis diagnosis = of_container(status, "container");
            if (!diagnosis.empty()) return diagnosis;
        }
        return {};
    }

    Diagnosis of_container(const Json& status, const char* kind) const {
        const bool is_init = kind != std::string_view("container");
        const std::string who = fmt::format("{} {} {}", name_, kind, text_at(status, "name"));
        const Json& state = value_at(status, "state");
        if (const Json& waiting = value_at(state, "waiting"); waiting.is_object())
            return of_waiting(status, waiting, who);
        if (const Json& ended = value_at(state, "terminated"); ended.is_object()) return of_ended(ended, who, is_init);
        if (is_init || value_at(status, "ready") == true) return {};
        return of_running(value_at(state, "running"), who);
    }

    Diagnosis of_waiting(const Json& status, const Json& waiting, const std::string& who) const {
        const std::string reason = text_at(waiting, "reason");
        if (reason == "CrashLoopBackOff") return crash_loop(status, waiting, who);
        if (reason.empty() || reason == "ContainerCreating" || reason == "PodInitializing") return creating(who);
        const std::string what = fmt::format("{} {}", who, reason_and_message(waiting));
        if (has(reason, "Image")) {
            return {fmt::format("{} (image {})", what, shown(text_at(status, "image"))),
                    "check the image's name, its registry and the pull secret"};
        }
        if (reason == "CreateContainerConfigError") {
            return {what, "check the ConfigMaps and Secrets its env takes values from, and its securityContext"};
        }
        return {what, fmt::format("see the pod's events, and the container runtime of node {}", node())};
    }

    Diagnosis crash_loop(const Json& status, const Json& waiting, const std::string& who) const {
        const Json& last = value_at(value_at(status, "lastState"), "terminated");
        const int64_t restarts = number_at(status, {"restartCount"});
        const int whole = back_off_said(text_at(waiting, "message")).value_or(back_off_after(restarts));
        const auto past = seconds_since(last, {"finishedAt"}, now_);
        const std::string left =
            past ? fmt::format(", next start in {} s", std::max<int64_t>(0, whole - past->count())) : "";
        return {fmt::format("{} CrashLoopBackOff: {} restart{}, the last with {}{}{}", who, restarts,
                            restarts == 1 ? "" : "s", exit_of(last), output_of(last), left),
                fmt::format("see kubectl logs --previous {} -n {}", name_, pod_namespace(pod_))};
    }

    static Diagnosis of_ended(const Json& ended, const std::string& who, bool is_init) {
        if (number_at(ended, {"exitCode"}) == 0 && is_init) return {};
        return {fmt::format("{} ended with {}{}", who, exit_of(ended), output_of(ended)), "see its log"};
    }

    Diagnosis creating(const std::string& who) const {
        for (const char* reason :
             {"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedCreatePodContainer"}) {
            const std::string message = latest(reason);
            if (!message.empty()) {
                return {fmt::format("{} cannot be made: {}: {}", who, reason, message),
                        "make what is missing, or look at the kubelet of node " + node()};
            }
        }
        const Json* scheduled = condition_of(pod_, "PodScheduled");
        if (!scheduled || condition_status(pod_, "PodScheduled") != "True" || is_init_running()) return {};
        const auto age = seconds_since(*scheduled, {"lastTransitionTime"}, now_);
        if (!age || *age < kSlow) return {};
        return {fmt::format("{} is being made since {} s", who, age->count()),
                "see the pod's events: a large image, or a volume that does not come"};
    }

    bool is_init_running() const {
        const Json& statuses = value_at(value_at(pod_, "status"), "initContainerStatuses");
        return std::any_of(statuses.begin(), statuses.end(), [](const Json& status) {
            return value_at(value_at(status, "state"), "running").is_object();
        });
    }

    Diagnosis of_running(const Json& running, const std::string& who) const {
        const auto age = seconds_since(running, {"startedAt"}, now_);
        const std::string probe = latest("Unhealthy");
        if (probe.empty() && (!age || *age < kSlow)) return {};
        return {fmt::format("{} runs{} and is not ready{}{}", who, age ? fmt::format(" since {} s", age->count()) : "",
                            probe.empty() ? "" : ": ", probe),
                "see its log and its readiness probe"};
    }

    Diagnosis gates() const {
        const Json* ready = condition_of(pod_, "Ready");
        if (!ready || text_at(*ready, "reason") != "ReadinessGatesNotReady") return {};
        return {fmt::format("{} is not ready: {}", name_, shown(text_at(*ready, "message"))),
                "see the controller that sets its readiness gates"};
    }

    // Returns the message of the latest event with that reason.
    std::string latest(const char* reason) const {
        std::string message;
        for (const Json& event : events_) {
            if (text_at(event, "reason") == reason) message = shown(text_at(event, "message"));
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

std::vector<Json> list_or_nothing(Client& client, const Collection& collection, const ListOptions& options) {
    try {
        return client.list_all(collection, options);
    } catch (const ApiError&) {
        return {};
    }
}

int64_t revision_of(const Json& replica_set) {
    const std::string text = text_at(replica_set, {"metadata", "annotations", "deployment.kubernetes.io/revision"});
    int64_t revision = 0;
    std::from_chars(text.data(), text.data() + text.size(), revision);
    return revision;
}

std::string newest_replica_set(Client& client, const Workload& workload) {
    std::string uid;
    int64_t newest = -1;
    for (const Json& replica_set : list_or_nothing(client, {replica_sets(), workload.ref.in_namespace}, {})) {
        if (!is_owned_by(replica_set, workload.uid()) || revision_of(replica_set) <= newest) continue;
        newest = revision_of(replica_set);
        uid = text_at(replica_set, {"metadata", "uid"});
    }
    return uid;
}

// Returns why pods are rejected, and what to do. Conditions and events report the same error in almost the same words.
std::string refusal(const Workload& workload, std::string message) {
    constexpr std::string_view kPrefix = "Error creating: ";
    if (message.starts_with(kPrefix)) message.erase(0, kPrefix.size());
    message = shown(message);
    const char* advice = "see who refuses them";
    if (has(message, "exceeded quota")) advice = "raise the quota, or free some of it";
    if (has(message, "violates PodSecurity")) advice = "the namespace's pod security level has to allow them";
    if (has(message, "admission webhook") || has(message, "ValidatingAdmissionPolicy")) {
        advice = "see the policy that refuses them";
    }
    return fmt::format("{} gets no pods: {}; {}", workload.text(), message, advice);
}

class WorkloadDiagnoser {
public:
    WorkloadDiagnoser(Client& client, const Workload& workload) : client_(client), workload_(workload) {}

    std::vector<std::string> find() {
        conditions();
        if (found_.empty()) events_on(workload_.uid());
        if (found_.empty() && workload_.ref.resource.qualified() == "deployments.apps") {
            events_on(newest_replica_set(client_, workload_));
        }
        if (!stalled_.empty()) found_.push_back(stalled_);
        return std::move(found_);
    }

private:
    void conditions() {
        const Json* failure = condition_of(workload_.object, "ReplicaFailure");
        if (failure && text_at(*failure, "status") == "True") {
            found_.push_back(refusal(workload_, text_at(*failure, "message")));
        }
        const Json* progress = condition_of(workload_.object, "Progressing");
        if (progress && text_at(*progress, "reason") == "ProgressDeadlineExceeded") {
            stalled_ = fmt::format("{} has made no progress for its progressDeadlineSeconds: {}; see its pods",
                                   workload_.text(), shown(text_at(*progress, "message")));
        }
    }

    void events_on(const std::string& uid) {
        if (uid.empty()) return;
        std::string message;
        for (const Json& event : warnings_on(client_, workload_.ref.in_namespace, uid)) {
            const bool is_recent = time_of_event(event) + kRecent > std::chrono::system_clock::now();
            if (is_recent && text_at(event, "reason") == "FailedCreate") message = text_at(event, "message");
        }
        if (!message.empty()) found_.push_back(refusal(workload_, message));
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
    return WorkloadDiagnoser(client, workload).find();
}

std::vector<Json> warnings_on(Client& client, const std::string& in_namespace, const std::string& uid) {
    if (uid.empty()) return {};
    std::vector<Json> found =
        list_or_nothing(client, {events(), in_namespace}, {"", "involvedObject.uid=" + uid + ",type=Warning"});
    std::stable_sort(found.begin(), found.end(),
                     [](const Json& one, const Json& other) { return time_of_event(one) < time_of_event(other); });
    return found;
}

}  // namespace cudafault::kube
