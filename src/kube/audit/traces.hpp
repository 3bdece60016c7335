// SPDX-License-Identifier: Apache-2.0
// Finds the names that names.hpp defines, anywhere in an object of any kind.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "kube/api/client/resource.hpp"

namespace cudafault::kube {

struct Trace {
    std::string object;         // "deployment.apps/web in namespace prod"
    std::string path;           // spec.template.spec.containers[main].env[CUDAFAULT_NODE]
    std::string description;    // "environment variable CUDAFAULT_NODE"
    std::string hash;           // of the workload that the object was created for, if the name contains the hash
    bool is_manager = false;    // the trace is only a field manager; the fields may have original values
    bool is_ambiguous = false;  // a variable or library that the workload author may have set: docs/plans.md

    std::string sentence() const { return object + " has the " + description + " at " + path; }
};

// Returns the traces of cudafault in an object. Ignores terminating pods, and the parts that cudafault never changes:
// the status, the data of ConfigMaps and Secrets, and the annotation of `kubectl apply`.
std::vector<Trace> traces_of(const Resource& resource, const Json& object);

// Returns the hashes of the workloads that the traces were created for.
std::set<std::string> hashes_of(const std::vector<Trace>& traces);

}  // namespace cudafault::kube
