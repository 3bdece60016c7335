// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace cudafault::kube {

// The verb and object of a request, for messages.
struct Subject {
    std::string verb;      // a verb of RBAC rules: get, list, watch, create, patch, delete
    std::string resource;  // for example "deployments.apps" or "pods/log"
    std::string in_namespace;
    std::string name;

    std::string text() const;  // "deployments.apps web in namespace prod"
};

}  // namespace cudafault::kube
