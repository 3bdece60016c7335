// SPDX-License-Identifier: Apache-2.0
// Takes a snapshot of a namespace, and verifies that a later state is the same and has no traces of cudafault.
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
    std::string in_namespace;              // empty: all namespaces
    std::string taken_at;                  // UTC
    bool is_whole = true;                  // true: all workloads; false: chosen workloads and the objects they own
    std::map<std::string, Json> objects;   // without status; by "deployments.apps web in namespace prod"
    std::map<std::string, Json> nodes;     // by name: whether the node is cordoned, and NVSentinel's labels
    std::vector<std::string> own_objects;  // ConfigMaps and Leases of cudafault that existed
    std::vector<SkippedKind> skipped;

    Json json() const;                            // the file that `snapshot` writes
    static Snapshot from_json(const Json& json);  // throws Error
};

// Reads the objects of all kinds in the table of kinds except Pods and Jobs, which are short-lived. Also reads
// ReplicaSets and ControllerRevisions. The snapshot contains the values of environment variables in templates. If
// `only` is not empty, the snapshot has only those workloads and the objects they own.
Snapshot take_snapshot(Client& client, Discovery& discovery, const std::string& in_namespace,
                       const std::vector<WorkloadChoice>& only);

struct CleanOptions {
    std::string in_namespace;
    const Snapshot* against = nullptr;
    bool exact = false;  // also compare revision numbers
};

struct CleanReport {
    std::vector<Trace> traces;
    std::vector<Difference> differences;
    std::vector<std::string> notes;  // findings that are not failures
    std::vector<SkippedKind> skipped;
    size_t objects = 0;
    size_t kinds = 0;

    bool is_clean() const { return traces.empty() && differences.empty(); }  // ignores skipped kinds
};

CleanReport verify_clean(Client& client, Discovery& discovery, const CleanOptions& options);

// Returns the part of an object that must be equal before and after. Without `exact`, that excludes revision numbers.
Json comparable_part(const Json& object, bool exact);

}  // namespace cudafault::kube
