// SPDX-License-Identifier: Apache-2.0
// Everything of ours in an object, of whatever kind: what names.hpp lists, wherever it stands.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "kube/api/client/resource.hpp"

namespace cudafault::kube {

struct Trace {
    std::string object;         // "deployments.apps web in namespace prod"
    std::string path;           // spec.template.spec.containers[main].env[CUDAFAULT_NODE]
    std::string what;           // "environment variable CUDAFAULT_NODE"
    std::string hash;           // of the workload it was made for, where its name tells
    bool is_manager = false;    // of fields only, whose values may be the user's own
    bool may_be_users = false;  // a variable or library that people set themselves, too: docs/plans.md

    std::string sentence() const { return object + " has the " + what + " at " + path; }
};

// Ignores the status, the contents of ConfigMaps and what a user applied with kubectl, which are not cudafault's to
// change, and pods that are being deleted.
std::vector<Trace> traces_of(const Resource& resource, const Json& object);

// Of the workloads that the traces were made for.
std::set<std::string> hashes_of(const std::vector<Trace>& traces);

}  // namespace cudafault::kube
