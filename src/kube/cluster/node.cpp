// SPDX-License-Identifier: Apache-2.0
#include "kube/cluster/node.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <set>

#include "kube/api/client/resource.hpp"
#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/common/json.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/api/transport/deadline_scope.hpp"
#include "kube/api/transport/retry.hpp"
#include "kube/api/transport/session.hpp"
#include "kube/names.hpp"
#include "kube/object/owners.hpp"
#include "kube/object/path.hpp"
#include "kube/workload/rollout.hpp"

namespace cudafault::kube {

namespace {

constexpr std::chrono::milliseconds kRound(400);
constexpr std::chrono::seconds kLastWord(10);  // for setting the state label after the drain's deadline

// Labels of NVSentinel. The value of cordon-timestamp must not have colons, because it is a label.
constexpr const char* kCordonBy = "k8saas.nvidia.com/cordon-by";
constexpr const char* kCordonReason = "k8saas.nvidia.com/cordon-reason";
constexpr const char* kCordonTimestamp = "k8saas.nvidia.com/cordon-timestamp";
constexpr const char* kState = "dgxc.nvidia.com/nvsentinel-state";
constexpr const char* kQuarantined = "quarantineHealthEventIsCordoned";  // annotation

using Labels = std::map<std::string, std::string>;

Labels nvsentinel_labels() {
    return {{kCordonBy, "NVSentinel"},
            {kCordonReason, "cudafault-drill"},
            {kCordonTimestamp, fmt::format("{:%Y-%m-%dT%H-%M-%SZ}", fmt::gmtime(std::time(nullptr)))},
            {kState, "quarantined"}};
}

ObjectRef ref_of(const std::string& node) { return {nodes(), "", node}; }

bool is_cordoned(const Json& node) {
    const Json* unschedulable = find(node, {"spec", "unschedulable"});
    return unschedulable && *unschedulable == true;
}

std::string label_of(const Json& node, const std::string& key) {
    return text_at(node, Path{"metadata", "labels"} / key);
}

bool has_annotation(const Json& node, const char* key) { return find(node, Path{"metadata", "annotations"} / key); }

void add_to_map(JsonPatch& patch, const Json& node, const std::string& map, const Labels& entries) {
    if (!find(node, Path{"metadata"} / map)) patch.add("/metadata/" + map, Json::object());
    for (const auto& [key, value] : entries) patch.add(json_pointer({"metadata", map, key}), value);
}

void write(Client& client, const Json& node, JsonPatch& changes) {
    client.patch(ref_of(text_at(node, {"metadata", "name"})), changes.only_if_unchanged(node));
}

// Returns the labels of NVSentinel to set. An existing one was set by another client, or by an earlier cudafault
// cordon.
Labels labels_to_set(const Json& node, const CordonMemory& memory) {
    Labels wanted = nvsentinel_labels();
    for (const std::string& label : memory.labels) wanted.erase(label);
    for (const auto& [key, value] : wanted) {
        if (label_of(node, key).empty()) continue;
        throw Error(
            fmt::format("node {} has the label {}={} already, which is not of cudafault: NVSentinel has it in "
                        "hand; leave out --nvsentinel, or remove that label",
                        text_at(node, {"metadata", "name"}), key, label_of(node, key)));
    }
    return wanted;
}

CordonResult cordon_once(Client& client, const std::string& name, bool nvsentinel) {
    const Json node = client.get(ref_of(name));
    const auto before = CordonMemory::of(node);
    CordonMemory memory = before.value_or(CordonMemory{is_cordoned(node), {}});
    const Labels labels = nvsentinel ? labels_to_set(node, memory) : Labels{};
    for (const auto& [key, value] : labels) memory.labels.push_back(key);

    JsonPatch changes;
    if (!is_cordoned(node)) changes.add("/spec/unschedulable", true);
    if (!labels.empty()) add_to_map(changes, node, "labels", labels);
    if (!before || !labels.empty()) add_to_map(changes, node, "annotations", {{names::kCordon, memory.text()}});
    if (!changes.empty()) write(client, node, changes);
    return {memory.was_cordoned, !changes.empty()};
}

Uncordoned uncordon_once(Client& client, const std::string& name, bool force) {
    const Json node = client.get(ref_of(name));
    const auto memory = CordonMemory::of(node);
    if (!memory && !force) return Uncordoned::kNotCordonedByCudafault;
    if (has_annotation(node, kQuarantined) && !force) {
        throw Error(
            fmt::format("node {} is cordoned by NVSentinel too (annotation {}): let NVSentinel uncordon it, or "
                        "give --force",
                        name, kQuarantined));
    }
    const bool stays = memory && memory->was_cordoned && is_cordoned(node) && !force;
    JsonPatch changes;
    if (is_cordoned(node) && !stays) changes.remove("/spec/unschedulable");
    for (const std::string& key : memory ? memory->labels : std::vector<std::string>{}) {
        if (!label_of(node, key).empty()) changes.remove(json_pointer({"metadata", "labels", key}));
    }
    if (memory) changes.remove(json_pointer({"metadata", "annotations", names::kCordon}));
    if (!changes.empty()) write(client, node, changes);
    return stays ? Uncordoned::kStaysCordoned : Uncordoned::kDone;
}

// Changes the state label only if cudafault's cordon set it.
void set_state(Client& client, const std::string& name, const std::string& state) {
    retry_on_conflict(client.session(), [&] {
        const Json node = client.get(ref_of(name));
        const auto memory = CordonMemory::of(node);
        if (!memory || std::find(memory->labels.begin(), memory->labels.end(), kState) == memory->labels.end()) return;
        JsonPatch changes;
        changes.add(json_pointer({"metadata", "labels", kState}), state);
        write(client, node, changes);
    });
}

bool is_left_alone(const Json& pod) {
    const auto controller = controller_of(pod);
    return (controller && controller->resource.kind == "DaemonSet") || (is_finished(pod) && !is_terminating(pod)) ||
           has_annotation(pod, "kubernetes.io/config.mirror");
}

std::string name_of(const Json& pod) {
    return text_at(pod, {"metadata", "namespace"}) + "/" + text_at(pod, {"metadata", "name"});
}

// Returns the API server's description of the budget, with its name and numbers.
std::string budget_says(const ApiError& error) {
    for (const Json& cause : value_at(value_at(error.status, "details"), "causes")) {
        if (text_at(cause, "reason") == "DisruptionBudget") return text_at(cause, "message");
    }
    return error.what();
}

// The API server answers with code 500 if several budgets select a pod. Retrying does not help.
bool has_several_budgets(const ApiError& error) {
    return text_at(error.status, "message").find("more than one PodDisruptionBudget") != std::string::npos;
}

ApiError several_budgets(const Json& pod, const ApiError& error) {
    const std::string in_namespace = text_at(pod, {"metadata", "namespace"});
    return {
        fmt::format("pod {} stays: more than one PodDisruptionBudget covers it, and no such pod can be evicted; change "
                    "their selectors so that one does (`kubectl get pdb -n {}` shows them), or delete the pod, and "
                    "drain again",
                    name_of(pod), in_namespace),
        error.code, error.status};
}

bool is_namespace_going(const ApiError& error) {
    const Json& causes = value_at(value_at(error.status, "details"), "causes");
    return std::any_of(causes.begin(), causes.end(),
                       [](const Json& cause) { return text_at(cause, "reason") == "NamespaceTerminating"; });
}

class Drain {
public:
    Drain(Client& client, const std::string& node, const DrainOptions& options)
        : client_(client), node_(node), options_(options) {}

    DrainResult run();

private:
    std::vector<Json> pods_there();
    void refuse_bare_pods();
    size_t round();  // returns the number of remaining pods
    void take_off(const Json& pod);
    void evict(const Json& pod);
    void refused(const Json& pod, const ApiError& error);
    void delete_pod(const Json& pod);
    void tell(const std::string& line);
    std::string still_there() const;
    void mark_failed();
    void finish_in_time();
    DeleteOptions delete_options(const Json& pod) const;

    Client& client_;
    const std::string node_;
    const DrainOptions options_;
    DrainResult result_;
    std::map<std::string, std::string> left_;  // remaining pods, with the reasons
    std::set<std::string> announced_;
    std::set<std::string> done_;  // uids of evicted and deleted pods
};

std::vector<Json> Drain::pods_there() {
    ListOptions options;
    options.field_selector = "spec.nodeName=" + node_;
    return client_.list_all({pods(), ""}, options);
}

void Drain::refuse_bare_pods() {
    std::vector<std::string> bare;
    for (const Json& pod : pods_there()) {
        if (is_left_alone(pod)) {
            result_.skipped.push_back(name_of(pod));
        } else if (!controller_of(pod) && !is_terminating(pod)) {
            bare.push_back(name_of(pod));
        }
    }
    if (bare.empty() || options_.force_bare) return;
    throw Error(
        fmt::format("node {} has pods without a controller, which would not be recreated: {}; delete them "
                    "yourself, or give --force-bare",
                    node_, fmt::join(bare, ", ")));
}

DeleteOptions Drain::delete_options(const Json& pod) const {
    DeleteOptions options;
    options.uid = text_at(pod, {"metadata", "uid"});
    options.grace_period_seconds = options_.grace_period_seconds;
    return options;
}

void Drain::tell(const std::string& line) {
    if (options_.on_progress && announced_.insert(line).second) options_.on_progress(line);
}

void Drain::delete_pod(const Json& pod) {
    client_.remove({kube::pods(), text_at(pod, {"metadata", "namespace"}), text_at(pod, {"metadata", "name"})},
                   delete_options(pod));
    done_.insert(text_at(pod, {"metadata", "uid"}));
    result_.deleted.push_back(name_of(pod));
    tell(fmt::format("pod {} deleted: it is not ready, and its budget refuses the eviction", name_of(pod)));
}

void Drain::refused(const Json& pod, const ApiError& error) {
    const std::string name = name_of(pod);
    if (is_ready(pod)) {
        left_[name] = fmt::format("its PodDisruptionBudget refuses the eviction ({})", budget_says(error));
    } else if (options_.delete_unhealthy) {
        return delete_pod(pod);
    } else {
        left_[name] = fmt::format(
            "it is not ready, and its PodDisruptionBudget refuses the eviction all the same ({}): "
            "set unhealthyPodEvictionPolicy: AlwaysAllow there, or give --delete-unhealthy",
            budget_says(error));
    }
    tell(fmt::format("pod {} stays: {}", name, left_[name]));
}

void Drain::evict(const Json& pod) {
    try {
        client_.evict(text_at(pod, {"metadata", "namespace"}), text_at(pod, {"metadata", "name"}), delete_options(pod));
    } catch (const ApiError& error) {
        const bool is_past_budgets = options_.delete_unhealthy && !is_ready(pod);
        if (has_several_budgets(error) && !is_past_budgets) throw several_budgets(pod, error);
        if (!error.is_disruption_budget() && !has_several_budgets(error)) throw;
        return refused(pod, error);
    }
    done_.insert(text_at(pod, {"metadata", "uid"}));
    result_.evicted.push_back(name_of(pod));
    tell(fmt::format("pod {} evicted", name_of(pod)));
}

// A pod that was deleted, or recreated with the same name, is left to the next round.
void Drain::take_off(const Json& pod) {
    try {
        evict(pod);
    } catch (const ApiError& error) {
        if (!error.is_not_found() && error.code != 409 && !is_namespace_going(error)) throw;
    }
}

size_t Drain::round() {
    left_.clear();
    for (const Json& pod : pods_there()) {
        if (is_left_alone(pod)) continue;
        left_[name_of(pod)] = "it is still ending";
        if (!is_terminating(pod) && !done_.contains(text_at(pod, {"metadata", "uid"}))) take_off(pod);
    }
    return left_.size();
}

std::string Drain::still_there() const {
    std::vector<std::string> lines;
    for (const auto& [pod, why] : left_) lines.push_back(fmt::format("{}: {}", pod, why));
    return fmt::format("{}", fmt::join(lines, "; "));
}

void Drain::mark_failed() {
    const DeadlineScope scope(client_.session(), after(kLastWord));
    try {
        set_state(client_, node_, "drain-failed");
    } catch (const Cancelled&) {
        throw;
    } catch (const Error&) {  // keep the drain's error as the one that is reported
    }
}

void Drain::finish_in_time() {
    try {
        while (round() > 0) client_.session().wait_until(after(kRound));
    } catch (const ApiError&) {
        mark_failed();
        throw;
    } catch (const DeadlinePassed&) {
        mark_failed();
        throw Error(
            fmt::format("node {} is cordoned, but these pods were still running at the timeout: {}; delete them and "
                        "drain again, or give a longer --timeout",
                        node_, still_there()));
    }
}

DrainResult Drain::run() {
    refuse_bare_pods();
    cordon(client_, node_, options_.nvsentinel);
    set_state(client_, node_, "draining");
    finish_in_time();
    set_state(client_, node_, "drain-succeeded");
    return std::move(result_);
}

}  // namespace

std::string CordonMemory::text() const { return Json{{"cordoned", was_cordoned}, {"labels", labels}}.dump(); }

std::optional<CordonMemory> CordonMemory::of(const Json& node) {
    if (!has_annotation(node, names::kCordon)) return {};
    const std::string text = text_at(node, Path{"metadata", "annotations"} / names::kCordon);
    try {
        const Json memory = Json::parse(text);
        return CordonMemory{memory.at("cordoned").get<bool>(), memory.at("labels").get<std::vector<std::string>>()};
    } catch (const Json::exception&) {
        throw Error(
            fmt::format("annotation {} of node {} cannot be read: \"{}\"; remove it, and uncordon the node with "
                        "kubectl if it is to be",
                        names::kCordon, text_at(node, {"metadata", "name"}), text));
    }
}

CordonResult cordon(Client& client, const std::string& node, bool nvsentinel) {
    return retry_on_conflict(client.session(), [&] { return cordon_once(client, node, nvsentinel); });
}

DrainResult drain(Client& client, const std::string& node, const DrainOptions& options) {
    return Drain(client, node, options).run();
}

Uncordoned uncordon(Client& client, const std::string& node, bool force) {
    return retry_on_conflict(client.session(), [&] { return uncordon_once(client, node, force); });
}

}  // namespace cudafault::kube
