// SPDX-License-Identifier: Apache-2.0
// What of ours is in a namespace, or in all: the injections that are in force, and what has been left behind.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "kube/audit/traces.hpp"
#include "kube/workload/survey.hpp"

namespace cudafault::kube {

enum class InjectionState {
    kInForce,     // the workload carries it
    kUnfinished,  // there is a record, and the workload does not carry it: an inject or a restore was cut off
    kUnknown,     // there is a record, and its workload could not be listed
};

struct FoundInjection {
    std::string hash;  // of the workload
    InjectionState state = InjectionState::kUnfinished;
    std::string workload;    // "deployments.apps web in namespace prod"
    std::string kind, name;  // as `restore` takes them
    std::string in_namespace;
    bool has_record = false;
    std::string record_problem;  // why its record cannot be read
    std::string run_id, by, created_at;
    std::string armed;                      // the plan; empty: nothing
    std::string expired;                    // a plan whose time is over: it makes nothing fail any more
    std::string until;                      // when either of them ends or has ended by itself
    std::map<std::string, size_t> objects;  // that have something of it, by resource
};

// An object with traces that belong to no injection.
struct Leftover {
    std::string resource;
    std::string object;
    std::set<std::string> hashes;
    std::vector<Trace> traces;
};

struct ScanReport {
    std::vector<FoundInjection> injections;
    std::vector<Leftover> leftovers;
    std::vector<Leftover> put_back;  // that have nothing of ours but our name on fields with the user's values
    std::vector<SkippedKind> skipped;
    size_t objects = 0;
    size_t kinds = 0;

    bool found() const { return !injections.empty() || !leftovers.empty(); }
};

// `in_namespace` empty: all. Throws Error if there is no such namespace.
ScanReport scan(Client& client, Discovery& discovery, const std::string& in_namespace);

}  // namespace cudafault::kube
