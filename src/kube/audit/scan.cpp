// SPDX-License-Identifier: Apache-2.0
#include "kube/audit/scan.hpp"

#include <algorithm>

#include "kube/api/client/client.hpp"
#include "kube/api/client/discovery.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/names.hpp"
#include "kube/object/workload_hash.hpp"
#include "kube/plan/plan_object.hpp"
#include "kube/plan/plan_spec.hpp"
#include "kube/record/record.hpp"

namespace cudafault::kube {

namespace {

bool is_manager_only(const Leftover& leftover) {
    return std::all_of(leftover.traces.begin(), leftover.traces.end(),
                       [](const Trace& trace) { return trace.is_manager; });
}

class Scan {
public:
    Scan(Client& client, Discovery& discovery, const std::string& in_namespace)
        : client_(client), discovery_(discovery), in_namespace_(in_namespace) {}

    ScanReport run();

private:
    void begin_list(const Resource& resource);
    void add_object(const Resource& resource, const Json& object);
    void add_workload(const Resource& resource, const Json& object, const std::vector<Trace>& traces);
    void add_anchor(const Json& object);
    // Adds the object to the counts of its injection. Returns false if the injection is not known.
    bool count_if_known(const Leftover& part);
    void classify_leftovers();
    void read_record(FoundInjection& injection);
    void list_kind_of(FoundInjection& injection, const Resource& resource);
    void read_plan(FoundInjection& injection);

    Client& client_;
    Discovery& discovery_;
    const std::string in_namespace_;
    ScanReport report_;
    std::map<std::string, FoundInjection> injections_;  // by hash
    std::map<std::string, size_t> counts_;              // by resource
};

// A list restarts when its continue token expires, so the counts of the resource start from zero.
void Scan::begin_list(const Resource& resource) {
    const std::string name = resource.qualified();
    counts_[name] = 0;
    std::erase_if(report_.leftovers, [&](const Leftover& leftover) { return leftover.resource == name; });
    for (auto& [hash, injection] : injections_) injection.objects.erase(name);
}

void Scan::add_object(const Resource& resource, const Json& object) {
    ++counts_[resource.qualified()];
    std::vector<Trace> traces = traces_of(resource, object);
    if (traces.empty()) return;
    if (resource.kind == "ConfigMap") {
        add_anchor(object);
    } else {
        add_workload(resource, object, traces);
    }
    Leftover part{resource.qualified(), ref_of(resource, object).text(), hashes_of(traces), std::move(traces)};
    // Objects of known injections are counted and not stored, because a namespace can have thousands of pods. Pods are
    // listed after their workloads, so their injections are already known.
    if (!count_if_known(part)) report_.leftovers.push_back(std::move(part));
}

// The mark alone does not identify a workload: the Deployment controller copies it to ReplicaSets.
void Scan::add_workload(const Resource& resource, const Json& object, const std::vector<Trace>& traces) {
    const auto mark = InjectedMark::of(object);
    if (!mark) return;
    const ObjectRef workload = ref_of(resource, object);
    const std::string hash = workload_hash(workload);
    if (!hashes_of(traces).contains(hash)) return;
    FoundInjection& injection = injections_[hash];
    injection.hash = hash;
    injection.state = InjectionState::kInForce;
    injection.workload = workload;
    injection.in_namespace = workload.in_namespace;
    injection.run_id = mark->run_id;
}

void Scan::add_anchor(const Json& object) {
    const std::string name = text_at(object, {"metadata", "name"});
    const std::string prefix = names::kAnchorPrefix;
    if (!name.starts_with(prefix)) return;
    const std::string hash = name.substr(prefix.size());
    FoundInjection& injection = injections_[hash];
    injection.hash = hash;
    injection.has_record = true;
    injection.in_namespace = text_at(object, {"metadata", "namespace"});
}

bool Scan::count_if_known(const Leftover& part) {
    for (const std::string& hash : part.hashes) {
        const auto found = injections_.find(hash);
        if (found == injections_.end()) continue;
        ++found->second.objects[part.resource];
        return true;
    }
    return false;
}

void Scan::classify_leftovers() {
    for (auto& [hash, injection] : injections_) read_record(injection);
    // Removes the objects that were listed before their injection was known.
    std::erase_if(report_.leftovers, [&](const Leftover& part) { return count_if_known(part); });
    const auto first_manager_only = std::stable_partition(report_.leftovers.begin(), report_.leftovers.end(),
                                                          [](const Leftover& part) { return !is_manager_only(part); });
    report_.manager_only.assign(std::make_move_iterator(first_manager_only),
                                std::make_move_iterator(report_.leftovers.end()));
    report_.leftovers.erase(first_manager_only, report_.leftovers.end());
    for (auto& [hash, injection] : injections_) {
        read_plan(injection);
        report_.injections.push_back(std::move(injection));
    }
}

void Scan::read_record(FoundInjection& injection) {
    if (!injection.has_record) return;
    std::optional<Resource> unlisted_kind;
    try {
        const auto anchor = find_anchor(client_, injection.in_namespace, injection.hash);
        if (!anchor) return;
        const Record& record = anchor->record;
        injection.run_id = record.run_id;
        injection.by = record.by;
        injection.created_at = record.created_at;
        if (injection.workload) return;
        injection.workload = record.workload;
        const auto resource = discovery_.find(record.workload.resource.api_version(), record.workload.resource.kind);
        if (resource && !counts_.contains(resource->qualified())) unlisted_kind = *resource;
    } catch (const Cancelled&) {
        throw;
    } catch (const DeadlinePassed&) {
        throw;
    } catch (const Error& error) {
        injection.record_problem = error.what();
    }
    if (unlisted_kind) list_kind_of(injection, *unlisted_kind);
}

// Lists a kind that is not in the table of kinds, to find the injected workload.
void Scan::list_kind_of(FoundInjection& injection, const Resource& resource) {
    try {
        client_.list({resource, in_namespace_}, {}, [&](const Page& page) {
            if (page.is_first) begin_list(resource);
            for (const Json& object : page.items) add_object(resource, object);
        });
    } catch (const ApiError& error) {
        injection.state = InjectionState::kUnknown;
        const auto is_same_kind = [&](const SkippedKind& skipped) { return skipped.resource == resource.qualified(); };
        const bool is_listed = std::any_of(report_.skipped.begin(), report_.skipped.end(), is_same_kind);
        if (!is_listed) report_.skipped.push_back({resource.qualified(), error.what()});
    }
}

void Scan::read_plan(FoundInjection& injection) {
    try {
        const auto plan = find_plan(client_, injection.in_namespace, injection.hash);
        if (!plan) return;
        (is_armed(plan->spec) ? injection.armed : injection.expired) = plan->spec;
        injection.until = end_of_plan(plan->spec);
    } catch (const ApiError& error) {
        if (!error.is_forbidden()) throw;
        injection.armed = "unknown: " + std::string(error.what());
    }
}

ScanReport Scan::run() {
    SurveyScope scope;
    scope.in_namespace = in_namespace_;
    report_.skipped = survey(client_, discovery_, scope,
                             {[this](const Resource& resource) { begin_list(resource); },
                              [this](const Resource& resource, const Json& object) { add_object(resource, object); }});
    classify_leftovers();
    for (const auto& [resource, count] : counts_) report_.objects += count;
    report_.kinds = counts_.size();
    return std::move(report_);
}

}  // namespace

ScanReport scan(Client& client, Discovery& discovery, const std::string& in_namespace) {
    return Scan(client, discovery, in_namespace).run();
}

}  // namespace cudafault::kube
