// SPDX-License-Identifier: Apache-2.0
// The proof that everything is as it was: what there is in a namespace, kept in a file, and compared.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "kube/audit/traces.hpp"
#include "kube/object/diff.hpp"
#include "kube/workload/survey.hpp"
#include "kube/workload/workload.hpp"

namespace cudafault::kube {

struct Snapshot {
    std::string in_namespace;  // empty: all
    std::string taken_at;      // UTC
    bool is_whole = true;      // all workloads; else those that were chosen, and what their controllers made of them
    std::map<std::string, Json> objects;  // by text_of, without status
    std::map<std::string, Json> nodes;    // by name: whether cordoned, NVSentinel's labels
    std::vector<std::string> ours;        // ConfigMaps and Leases of cudafault that were there
    std::vector<SkippedKind> skipped;

    Json json() const;                            // the file that `snapshot` writes
    static Snapshot from_json(const Json& json);  // throws Error
};

// Workloads of the table, without Pods and Jobs, which come and go; ReplicaSets and ControllerRevisions. Variables in
// templates are in it with their values. `only` empty: all.
Snapshot take_snapshot(Client& client, Discovery& discovery, const std::string& in_namespace,
                       const std::vector<WorkloadChoice>& only);

struct CleanOptions {
    std::string in_namespace;
    const Snapshot* against = nullptr;
    bool exact = false;  // the numbers of revisions count too
};

struct CleanReport {
    std::vector<Trace> traces;
    std::vector<Difference> differences;
    std::vector<std::string> notes;  // what is no reason to fail
    std::vector<SkippedKind> skipped;
    size_t objects = 0;
    size_t kinds = 0;

    bool is_clean() const { return traces.empty() && differences.empty(); }  // as far as could be seen
};

CleanReport verify_clean(Client& client, Discovery& discovery, const CleanOptions& options);

// What two states of an object have to have in common.
Json comparable(const Json& object, bool exact);

}  // namespace cudafault::kube
