// SPDX-License-Identifier: Apache-2.0
#include "kube/audit/snapshot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <string_view>

#include "kube/api/client/discovery.hpp"
#include "kube/api/client/resource.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/common/json.hpp"
#include "kube/api/common/timestamp.hpp"
#include "kube/names.hpp"
#include "kube/object/owners.hpp"
#include "kube/object/path.hpp"
#include "kube/object/well_known.hpp"
#include "kube/record/strip.hpp"

namespace cudafault::kube {

namespace {

constexpr int kSnapshotSchema = 1;
constexpr const char* kExists = "exists";
constexpr const char* kNotListed = "unknown: its kind could not be listed";
constexpr const char* kNodesSkipped =
    "cordons by cudafault were not checked, because nodes could not be listed: `cudafault k8s rbac verify-clean -A` "
    "prints the ClusterRole to ask for";
// Counters of the Deployment controller. The max-replicas of a ReplicaSet is replicas + maxSurge at the time when it
// was last scaled.
constexpr std::array<const char*, 3> kControllersAnnotations = {
    well_known::kDeploymentRevision, well_known::kDeploymentRevisionHistory, well_known::kDeploymentMaxReplicas};

bool is_in_snapshot(const Resource& resource) {
    constexpr std::array<std::string_view, 5> kExcluded = {"pods", "jobs.batch", "configmaps",
                                                           "leases.coordination.k8s.io", "nodes"};
    return std::find(kExcluded.begin(), kExcluded.end(), resource.qualified()) == kExcluded.end();
}

// The key of an object in a snapshot, also in the file: "deployments.apps web in namespace prod".
std::string key_of(const Resource& resource, const Json& object) {
    const ObjectRef ref = ref_of(resource, object);
    return fmt::format("{} {}{}", resource.qualified(), ref.name,
                       ref.in_namespace.empty() ? "" : " in namespace " + ref.in_namespace);
}

// Returns ObjectRef::text() for a key. The plurals of all kinds in a snapshot end with an additional "s".
std::string text_of_key(std::string key) {
    const size_t space = key.find(' ');
    if (space == std::string::npos) return key;
    key[space] = '/';
    key.erase(std::min(key.find('.'), space) - 1, 1);
    return key;
}

bool can_be_own_object(const Resource& resource) { return resource.kind == "ConfigMap" || resource.kind == "Lease"; }

Json without_status(Json object) {
    if (object.is_object()) object.erase("status");
    return object;
}

Json node_state(const Json& node) {
    const Json* unschedulable = find(node, {"spec", "unschedulable"});
    Json labels = Json::object();
    if (const Json* all = find(node, {"metadata", "labels"}); all && all->is_object()) {
        for (const auto& [key, value] : all->items()) {
            const auto has_prefix = [name = std::string_view(key)](std::string_view prefix) {
                return name.starts_with(prefix);
            };
            if (std::any_of(std::begin(names::kNvsentinelPrefixes), std::end(names::kNvsentinelPrefixes), has_prefix))
                labels[key] = value;
        }
    }
    return {{"cordoned", unschedulable && *unschedulable == true}, {"labels", labels}};
}

bool is_owned_by_any(const Json& object, const std::set<std::string>& uids) {
    const std::set<std::string> owners = owner_uids(object);
    return std::any_of(owners.begin(), owners.end(), [&](const std::string& uid) { return uids.contains(uid); });
}

// Adds the UIDs of all objects that the objects with these UIDs own, directly or indirectly.
std::set<std::string> with_descendants(std::set<std::string> uids, const std::map<std::string, Json>& objects) {
    for (size_t known = 0; known != uids.size();) {
        known = uids.size();
        for (const auto& [text, object] : objects) {
            if (is_owned_by_any(object, uids)) uids.insert(text_at(object, {"metadata", "uid"}));
        }
    }
    return uids;
}

void keep_only(Snapshot& snapshot, std::set<std::string> chosen) {
    const auto uids = with_descendants(std::move(chosen), snapshot.objects);
    std::erase_if(snapshot.objects,
                  [&](const auto& entry) { return !uids.contains(text_at(entry.second, {"metadata", "uid"})); });
    snapshot.is_whole = false;
}

// Removes the entries of `taken` from `fields`.
void subtract(Json& fields, const Json& taken) {
    if (!fields.is_object() || !taken.is_object()) return;
    for (const auto& [key, value] : taken.items()) {
        const auto field = fields.find(key);
        if (field == fields.end()) continue;
        if (!value.empty()) subtract(*field, value);
        if (value.empty() || field->empty()) fields.erase(field);
    }
}

// Returns the fields that are never compared (status) and, without `exact`, the revision numbers.
Json fields_not_compared(bool exact) {
    Json fields = {{"f:status", Json::object()}};
    if (exact) return fields;
    for (const char* annotation : kControllersAnnotations) {
        fields["f:metadata"]["f:annotations"]["f:" + std::string(annotation)] = Json::object();
    }
    fields["f:revision"] = Json::object();
    return fields;
}

// Sorts the managers, because the API server sorts them by time, and times are not compared.
Json managers_of(const Json& object, bool exact) {
    std::vector<Json> managers;
    for (Json entry : items_at(object, {"metadata", "managedFields"})) {
        if (!entry.is_object()) continue;
        entry.erase("time");
        subtract(entry["fieldsV1"], fields_not_compared(exact));
        if (!entry["fieldsV1"].empty()) managers.push_back(std::move(entry));
    }
    std::sort(managers.begin(), managers.end());
    return managers;
}

// True if a controller has deleted and recreated the object, as operators do with the objects they own. Only the
// content of such objects is compared.
bool is_recreated(const Json& before, const Json& after) {
    return uid_of(before) != uid_of(after) && controller_of(before) && controller_of(after);
}

void remove_identity(Json& object) {
    Json& metadata = object["metadata"];
    metadata.erase("uid");
    metadata.erase("creationTimestamp");
    for (Json& owner : metadata["ownerReferences"]) owner.erase("uid");
    for (Json& entry : metadata["managedFields"]) {
        subtract(entry["fieldsV1"], {{"f:metadata", {{"f:ownerReferences", Json::object()}}}});
    }
}

std::vector<Difference> differences_of(const std::string& text, const Json& before, const Json& after, bool exact) {
    Json old_state = comparable_part(before, exact), new_state = comparable_part(after, exact);
    old_state["metadata"]["managedFields"] = managers_of(before, exact);
    new_state["metadata"]["managedFields"] = managers_of(after, exact);
    if (is_recreated(before, after)) {
        remove_identity(old_state);
        remove_identity(new_state);
    }
    return differences(text, old_state, new_state);
}

class Verification {
public:
    explicit Verification(const CleanOptions& options) : options_(options) {
        if (!options.against) return;
        for (const auto& [text, object] : options.against->objects) {
            known_uids_.insert(text_at(object, {"metadata", "uid"}));
            if (has_injection(object)) continue;
            for (const Trace& trace : traces_of({}, object)) {
                if (trace.is_ambiguous) original_traces_.insert(trace.description);
            }
        }
    }

    CleanReport run(Client& client, Discovery& discovery);

private:
    // The findings of one kind.
    struct Part {
        std::vector<Trace> traces;
        std::vector<Difference> differences;
        std::vector<std::string> notes;
        std::set<std::string> seen;
        size_t objects = 0;
    };

    void check_object(const Resource& resource, const Json& object);
    void find_traces(Part& part, const Resource& resource, const Json& object);
    void compare(Part& part, const Resource& resource, const Json& object);
    void compare_node(Part& part, const Json& node);
    bool is_skipped(const std::string& key) const;
    void find_missing(const std::set<std::string>& seen);
    void report_skipped_nodes_as_note();

    const CleanOptions& options_;
    std::set<std::string> known_uids_;
    std::set<std::string> original_traces_;  // ambiguous traces that the snapshot already had
    std::map<std::string, Part> parts_;      // by resource
    CleanReport report_;
};

void Verification::check_object(const Resource& resource, const Json& object) {
    Part& part = parts_[resource.qualified()];
    ++part.objects;
    find_traces(part, resource, object);
    if (!options_.against) return;
    if (resource.kind == "Node") return compare_node(part, object);
    if (is_in_snapshot(resource)) compare(part, resource, object);
}

void Verification::find_traces(Part& part, const Resource& resource, const Json& object) {
    std::vector<Trace> traces = traces_of(resource, object);
    // Ignores traces that existed at the time of the snapshot, in this object or in the template that it was created
    // from. compare() checks their values.
    const auto existed_before = [&](const Trace& trace) {
        return trace.is_ambiguous && original_traces_.contains(trace.description);
    };
    if (!traces.empty() && !has_injection(object)) std::erase_if(traces, existed_before);
    part.traces.insert(part.traces.end(), std::make_move_iterator(traces.begin()),
                       std::make_move_iterator(traces.end()));
}

void Verification::compare(Part& part, const Resource& resource, const Json& object) {
    const Snapshot& snapshot = *options_.against;
    const std::string key = key_of(resource, object), text = ref_of(resource, object).text();
    const auto before = snapshot.objects.find(key);
    if (before != snapshot.objects.end()) {
        part.seen.insert(key);
        const auto found = differences_of(text, before->second, object, options_.exact);
        part.differences.insert(part.differences.end(), found.begin(), found.end());
    } else if (snapshot.is_whole || is_owned_by_any(object, known_uids_)) {
        part.differences.push_back({text, "", {}, kExists});
    }
}

// Nodes can be added and removed during a drill, so only nodes that still exist are compared.
void Verification::compare_node(Part& part, const Json& node) {
    const std::string name = text_at(node, {"metadata", "name"});
    const auto before = options_.against->nodes.find(name);
    if (before == options_.against->nodes.end()) return;
    part.seen.insert(name);
    const auto found = differences("node/" + name, before->second, node_state(node));
    part.differences.insert(part.differences.end(), found.begin(), found.end());
}

bool Verification::is_skipped(const std::string& key) const {
    return std::any_of(report_.skipped.begin(), report_.skipped.end(),
                       [&](const SkippedKind& skipped) { return key.starts_with(skipped.resource + " "); });
}

void Verification::find_missing(const std::set<std::string>& seen) {
    for (const auto& [key, object] : options_.against->objects) {
        if (seen.contains(key)) continue;
        const bool unknown = is_skipped(key);
        report_.differences.push_back(
            {text_of_key(key), "", kExists, unknown ? std::optional(kNotListed) : std::nullopt});
    }
    for (const auto& [name, state] : options_.against->nodes) {
        const bool was_deleted = !seen.contains(name) && !is_skipped("nodes " + name);
        if (was_deleted) report_.notes.push_back(fmt::format("node {} was deleted after the snapshot", name));
    }
}

// Nodes are cluster-scoped, and a Role in one namespace cannot allow listing them, so this is not a failure.
void Verification::report_skipped_nodes_as_note() {
    if (options_.in_namespace.empty()) return;
    const bool skipped =
        std::erase_if(report_.skipped, [](const SkippedKind& kind) { return kind.resource == "nodes"; }) > 0;
    if (skipped) report_.notes.emplace_back(kNodesSkipped);
}

template <typename Item>
void append(std::vector<Item>& list, std::vector<Item>& items) {
    list.insert(list.end(), std::make_move_iterator(items.begin()), std::make_move_iterator(items.end()));
}

CleanReport Verification::run(Client& client, Discovery& discovery) {
    SurveyScope scope;
    scope.in_namespace = options_.in_namespace;
    report_.skipped =
        survey(client, discovery, scope,
               {[this](const Resource& resource) { parts_[resource.qualified()] = {}; },
                [this](const Resource& resource, const Json& object) { check_object(resource, object); }});
    std::set<std::string> seen;
    for (auto& [resource, part] : parts_) {
        append(report_.traces, part.traces);
        append(report_.differences, part.differences);
        append(report_.notes, part.notes);
        report_.objects += part.objects;
        seen.merge(part.seen);
    }
    report_.kinds = parts_.size();
    if (options_.against) find_missing(seen);
    report_skipped_nodes_as_note();
    return std::move(report_);
}

}  // namespace

Json comparable_part(const Json& object, bool exact) {
    Json copy = without_status(object);
    Json& metadata = copy["metadata"];
    for (const char* field : {"generation", "resourceVersion", "managedFields"}) metadata.erase(field);
    if (!exact && text_at(copy, {"kind"}) == "ControllerRevision") copy.erase("revision");
    const auto annotations = metadata.find("annotations");
    if (annotations == metadata.end() || !annotations->is_object()) return copy;
    annotations->erase(well_known::kDaemonSetGeneration);
    for (const char* annotation : kControllersAnnotations) {
        if (!exact) annotations->erase(annotation);
    }
    if (annotations->empty()) metadata.erase(annotations);
    return copy;
}

Json Snapshot::json() const {
    Json kinds = Json::array();
    for (const SkippedKind& kind : skipped) kinds.push_back({{"resource", kind.resource}, {"why", kind.why}});
    return {{"cudafault_snapshot", kSnapshotSchema},
            {"taken_at", taken_at},
            {"namespace", in_namespace},
            {"whole", is_whole},
            {"objects", objects},
            {"nodes", nodes},
            {"ours", own_objects},
            {"unseen", kinds}};
}

Snapshot Snapshot::from_json(const Json& json) {
    try {
        if (json.at("cudafault_snapshot") != kSnapshotSchema)
            throw Error(
                "invalid snapshot: written by another version of cudafault; create one with `cudafault k8s snapshot`");
        Snapshot snapshot;
        json.at("taken_at").get_to(snapshot.taken_at);
        json.at("namespace").get_to(snapshot.in_namespace);
        json.at("whole").get_to(snapshot.is_whole);
        json.at("objects").get_to(snapshot.objects);
        json.at("nodes").get_to(snapshot.nodes);
        json.at("ours").get_to(snapshot.own_objects);
        for (const Json& entry : json.at("unseen")) {
            snapshot.skipped.push_back({text_at(entry, {"resource"}), text_at(entry, {"why"})});
        }
        return snapshot;
    } catch (const Json::exception& error) {
        throw Error(fmt::format("invalid snapshot: {}; create one with `cudafault k8s snapshot`", error.what()));
    }
}

Snapshot take_snapshot(Client& client, Discovery& discovery, const std::string& in_namespace,
                       const std::vector<WorkloadChoice>& only) {
    std::set<std::string> chosen;
    for (const WorkloadChoice& choice : only) chosen.insert(load_workload(client, discovery, choice).uid());

    Snapshot snapshot;
    snapshot.in_namespace = in_namespace;
    snapshot.taken_at = utc_now();
    SurveyScope scope;
    scope.in_namespace = in_namespace;
    scope.with_pods = false;
    snapshot.skipped = survey(client, discovery, scope,
                              {[&](const Resource& resource) {
                                   std::erase_if(snapshot.objects, [&](const auto& entry) {
                                       return entry.first.starts_with(resource.qualified() + " ");
                                   });
                                   std::erase_if(snapshot.own_objects, [&](const std::string& text) {
                                       return text.starts_with(resource.kubectl_kind() + "/");
                                   });
                               },
                               [&](const Resource& resource, Json object) {
                                   const std::string key = key_of(resource, object);
                                   if (resource.kind == "Node") {
                                       snapshot.nodes[text_at(object, {"metadata", "name"})] = node_state(object);
                                   } else if (can_be_own_object(resource)) {
                                       if (!traces_of(resource, object).empty())
                                           snapshot.own_objects.push_back(ref_of(resource, object).text());
                                   } else if (is_in_snapshot(resource)) {
                                       snapshot.objects[key] = without_status(std::move(object));
                                   }
                               }});
    if (!only.empty()) keep_only(snapshot, chosen);
    return snapshot;
}

CleanReport verify_clean(Client& client, Discovery& discovery, const CleanOptions& options) {
    return Verification(options).run(client, discovery);
}

}  // namespace cudafault::kube
