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
#include "kube/workload/pod_state.hpp"

namespace cudafault::kube {

namespace {

constexpr std::chrono::milliseconds kDrainInterval(400);
constexpr std::chrono::seconds kStateLabelTimeout(10);  // for setting the state label after the drain's deadline

constexpr const char* kQuarantined = "quarantineHealthEventIsCordoned";  // annotation that NVSentinel sets

using Labels = std::map<std::string, std::string>;

Labels nvsentinel_labels() {
    return {{names::kCordonBy, "NVSentinel"},
            {names::kCordonReason, names::kDrill},
            {names::kCordonTimestamp, fmt::format("{:%Y-%m-%dT%H-%M-%SZ}", fmt::gmtime(std::time(nullptr)))},
            {names::kNvsentinelState, "quarantined"}};
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

// Returns the labels of NVSentinel that cudafault has not set yet. Throws Error if another client has set one of them.
Labels labels_to_set(const Json& node, const CordonRecord& record) {
    Labels wanted = nvsentinel_labels();
    for (const std::string& label : record.labels) wanted.erase(label);
    for (const auto& [key, value] : wanted) {
        if (label_of(node, key).empty()) continue;
        throw Error(
            fmt::format("node {} already has the label {}={}, which cudafault did not set: NVSentinel may be handling "
                        "this node; omit --nvsentinel, or remove that label",
                        text_at(node, {"metadata", "name"}), key, label_of(node, key)));
    }
    return wanted;
}

CordonResult cordon_once(Client& client, const std::string& name, bool nvsentinel) {
    const Json node = client.get(ref_of(name));
    const auto before = CordonRecord::of(node);
    CordonRecord record = before.value_or(CordonRecord{is_cordoned(node), {}});
    const Labels labels = nvsentinel ? labels_to_set(node, record) : Labels{};
    for (const auto& [key, value] : labels) record.labels.push_back(key);

    JsonPatch changes;
    if (!is_cordoned(node)) changes.add("/spec/unschedulable", true);
    if (!labels.empty()) add_to_map(changes, node, "labels", labels);
    if (!before || !labels.empty()) add_to_map(changes, node, "annotations", {{names::kCordon, record.text()}});
    if (!changes.empty()) write(client, node, changes);
    return {record.was_cordoned, !changes.empty()};
}

Uncordoned uncordon_once(Client& client, const std::string& name, bool force) {
    const Json node = client.get(ref_of(name));
    const auto record = CordonRecord::of(node);
    if (!record && !force) return Uncordoned::kNotCordonedByCudafault;
    if (has_annotation(node, kQuarantined) && !force) {
        throw Error(fmt::format(
            "node {} is also cordoned by NVSentinel (annotation {}): let NVSentinel uncordon it, or use --force", name,
            kQuarantined));
    }
    const bool stays_cordoned = record && record->was_cordoned && is_cordoned(node) && !force;
    JsonPatch changes;
    if (is_cordoned(node) && !stays_cordoned) changes.remove("/spec/unschedulable");
    for (const std::string& key : record ? record->labels : std::vector<std::string>{}) {
        if (!label_of(node, key).empty()) changes.remove(json_pointer({"metadata", "labels", key}));
    }
    if (record) changes.remove(json_pointer({"metadata", "annotations", names::kCordon}));
    if (!changes.empty()) write(client, node, changes);
    return stays_cordoned ? Uncordoned::kStaysCordoned : Uncordoned::kDone;
}

// Changes the state label only if cudafault's cordon set it.
void set_state(Client& client, const std::string& name, const std::string& state) {
    retry_on_conflict(client.session(), [&] {
        const Json node = client.get(ref_of(name));
        const auto record = CordonRecord::of(node);
        if (!record) return;
        const auto& labels = record->labels;
        if (std::find(labels.begin(), labels.end(), names::kNvsentinelState) == labels.end()) return;
        JsonPatch changes;
        changes.add(json_pointer({"metadata", "labels", names::kNvsentinelState}), state);
        write(client, node, changes);
    });
}

bool is_skipped(const Json& pod) {
    const auto controller = controller_of(pod);
    return (controller && controller->resource.kind == "DaemonSet") || (is_finished(pod) && !is_terminating(pod)) ||
           has_annotation(pod, "kubernetes.io/config.mirror");
}

std::string name_of(const Json& pod) {
    return text_at(pod, {"metadata", "namespace"}) + "/" + text_at(pod, {"metadata", "name"});
}

// Returns the API server's description of the budget, with its name and numbers.
std::string budget_text(const ApiError& error) {
    for (const Json& cause : value_at(value_at(error.status, "details"), "causes")) {
        if (text_at(cause, "reason") == "DisruptionBudget") return text_at(cause, "message");
    }
    return error.what();
}

// The API server returns status 500 if several budgets select a pod. Retrying does not help.
bool has_several_budgets(const ApiError& error) {
    return text_at(error.status, "message").find("more than one PodDisruptionBudget") != std::string::npos;
}

ApiError several_budgets(const Json& pod, const ApiError& error) {
    const std::string in_namespace = text_at(pod, {"metadata", "namespace"});
    return {
        fmt::format("pod {} cannot be evicted: more than one PodDisruptionBudget selects it; change their selectors so "
                    "that only one selects it (`kubectl get pdb -n {}` lists them), or delete the pod, and drain again",
                    name_of(pod), in_namespace),
        error.code, error.status};
}

bool is_namespace_terminating(const ApiError& error) {
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
    std::vector<Json> pods_on_node();
    void refuse_bare_pods();
    size_t run_round();  // returns the number of remaining pods
    void try_to_evict(const Json& pod);
    void evict(const Json& pod);
    void handle_refusal(const Json& pod, const ApiError& error);
    void delete_pod(const Json& pod);
    void report_once(const std::string& line);
    std::string remaining_text() const;
    void mark_failed();
    void evict_all();
    DeleteOptions delete_options(const Json& pod) const;

    Client& client_;
    const std::string node_;
    const DrainOptions options_;
    DrainResult result_;
    std::map<std::string, std::string> remaining_;  // remaining pods, with the reasons
    std::set<std::string> reported_lines_;
    std::set<std::string> done_;  // uids of evicted and deleted pods
};

std::vector<Json> Drain::pods_on_node() {
    ListOptions options;
    options.field_selector = "spec.nodeName=" + node_;
    return client_.list_all({pods(), ""}, options);
}

void Drain::refuse_bare_pods() {
    std::vector<std::string> bare;
    for (const Json& pod : pods_on_node()) {
        if (is_skipped(pod)) {
            result_.skipped.push_back(name_of(pod));
        } else if (!controller_of(pod) && !is_terminating(pod)) {
            bare.push_back(name_of(pod));
        }
    }
    if (bare.empty() || options_.force_bare) return;
    throw Error(fmt::format(
        "node {} has pods without a controller, which would not be recreated: {}; delete them, or use --force-bare",
        node_, fmt::join(bare, ", ")));
}

DeleteOptions Drain::delete_options(const Json& pod) const {
    DeleteOptions options;
    options.uid = text_at(pod, {"metadata", "uid"});
    options.grace_period_seconds = options_.grace_period_seconds;
    return options;
}

void Drain::report_once(const std::string& line) {
    if (options_.on_progress && reported_lines_.insert(line).second) options_.on_progress(line);
}

void Drain::delete_pod(const Json& pod) {
    client_.remove({kube::pods(), text_at(pod, {"metadata", "namespace"}), text_at(pod, {"metadata", "name"})},
                   delete_options(pod));
    done_.insert(text_at(pod, {"metadata", "uid"}));
    result_.deleted.push_back(name_of(pod));
    report_once(fmt::format("pod {} deleted: it is not ready, and its PodDisruptionBudget does not allow the eviction",
                            name_of(pod)));
}

void Drain::handle_refusal(const Json& pod, const ApiError& error) {
    const std::string name = name_of(pod);
    if (is_ready(pod)) {
        remaining_[name] = fmt::format("its PodDisruptionBudget does not allow the eviction ({})", budget_text(error));
    } else if (options_.delete_unhealthy) {
        return delete_pod(pod);
    } else {
        remaining_[name] = fmt::format(
            "it is not ready, but its PodDisruptionBudget does not allow the eviction ({}): set "
            "unhealthyPodEvictionPolicy: AlwaysAllow in the budget, or use --delete-unhealthy",
            budget_text(error));
    }
    report_once(fmt::format("pod {} not evicted: {}", name, remaining_[name]));
}

void Drain::evict(const Json& pod) {
    try {
        client_.evict(text_at(pod, {"metadata", "namespace"}), text_at(pod, {"metadata", "name"}), delete_options(pod));
    } catch (const ApiError& error) {
        const bool may_delete = options_.delete_unhealthy && !is_ready(pod);
        if (has_several_budgets(error) && !may_delete) throw several_budgets(pod, error);
        if (!error.is_disruption_budget() && !has_several_budgets(error)) throw;
        return handle_refusal(pod, error);
    }
    done_.insert(text_at(pod, {"metadata", "uid"}));
    result_.evicted.push_back(name_of(pod));
    report_once(fmt::format("pod {} evicted", name_of(pod)));
}

// Ignores errors for a pod that was deleted or recreated: the next round lists the pods again.
void Drain::try_to_evict(const Json& pod) {
    try {
        evict(pod);
    } catch (const ApiError& error) {
        if (!error.is_not_found() && !error.is_conflict() && !is_namespace_terminating(error)) throw;
    }
}

size_t Drain::run_round() {
    remaining_.clear();
    for (const Json& pod : pods_on_node()) {
        if (is_skipped(pod)) continue;
        remaining_[name_of(pod)] = "it is still terminating";
        if (!is_terminating(pod) && !done_.contains(text_at(pod, {"metadata", "uid"}))) try_to_evict(pod);
    }
    return remaining_.size();
}

std::string Drain::remaining_text() const {
    std::vector<std::string> lines;
    for (const auto& [pod, why] : remaining_) lines.push_back(fmt::format("{}: {}", pod, why));
    return fmt::format("{}", fmt::join(lines, "; "));
}

void Drain::mark_failed() {
    const DeadlineScope scope(client_.session(), after(kStateLabelTimeout));
    try {
        set_state(client_, node_, "drain-failed");
    } catch (const Cancelled&) {
        throw;
    } catch (const Error&) {  // report the drain's error, not this one
    }
}

void Drain::evict_all() {
    try {
        while (run_round() > 0) client_.session().wait_until(after(kDrainInterval));
    } catch (const ApiError&) {
        mark_failed();
        throw;
    } catch (const DeadlinePassed&) {
        mark_failed();
        throw Error(
            fmt::format("node {} is cordoned, but these pods were still running at the timeout: {}; delete them and "
                        "drain again, or use a longer --timeout",
                        node_, remaining_text()));
    }
}

DrainResult Drain::run() {
    refuse_bare_pods();
    cordon(client_, node_, options_.nvsentinel);
    set_state(client_, node_, "draining");
    evict_all();
    set_state(client_, node_, "drain-succeeded");
    return std::move(result_);
}

}  // namespace

std::string CordonRecord::text() const { return Json{{"cordoned", was_cordoned}, {"labels", labels}}.dump(); }

std::optional<CordonRecord> CordonRecord::of(const Json& node) {
    if (!has_annotation(node, names::kCordon)) return {};
    const std::string text = text_at(node, Path{"metadata", "annotations"} / names::kCordon);
    try {
        const Json record = Json::parse(text);
        return CordonRecord{record.at("cordoned").get<bool>(), record.at("labels").get<std::vector<std::string>>()};
    } catch (const Json::exception&) {
        throw Error(
            fmt::format("invalid annotation {} on node {}: \"{}\"; remove the annotation, and run `kubectl uncordon` "
                        "if the node should be schedulable",
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
