// SPDX-License-Identifier: Apache-2.0
// Finds injections and leftovers of cudafault in one namespace or in all namespaces.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kube/audit/traces.hpp"
#include "kube/workload/survey.hpp"

namespace cudafault::kube {

enum class InjectionState {
    kInForce,     // the workload is injected
    kUnfinished,  // a record exists, but the workload is not injected: an inject or a restore was interrupted
    kUnknown,     // a record exists, but its workload could not be listed
};

struct FoundInjection {
    std::string hash;  // of the workload
    InjectionState state = InjectionState::kUnfinished;
    std::optional<ObjectRef> workload;  // nullopt if the workload is not listed and its record cannot be read
    std::string in_namespace;
    bool has_record = false;
    std::string record_problem;  // why the record cannot be read
    std::string run_id, by, created_at;
    std::string armed;                      // the armed plan; empty: none
    std::string expired;                    // an expired plan, which injects no faults
    std::string until;                      // when the armed or expired plan expires
    std::map<std::string, size_t> objects;  // objects with traces of the injection, by resource
};

// An object with traces that do not belong to a known injection.
struct Leftover {
    std::string resource;
    std::string object;
    std::set<std::string> hashes;
    std::vector<Trace> traces;
};

struct ScanReport {
    std::vector<FoundInjection> injections;
    std::vector<Leftover> leftovers;
    std::vector<Leftover> manager_only;  // the only trace is the field manager, on fields with original values
    std::vector<SkippedKind> skipped;
    size_t objects = 0;
    size_t kinds = 0;

    bool has_findings() const { return !injections.empty() || !leftovers.empty(); }
};

// Scans all namespaces if `in_namespace` is empty. Throws Error if the namespace does not exist.
ScanReport scan(Client& client, Discovery& discovery, const std::string& in_namespace);

}  // namespace cudafault::kube
