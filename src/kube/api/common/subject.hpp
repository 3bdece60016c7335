// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace cudafault::kube {

// What a request is about, for messages.
struct Subject {
    std::string verb;      // as in a Role: get, list, watch, create, patch, delete
    std::string resource;  // as in "deployments.apps" or "pods/log"
    std::string in_namespace;
    std::string name;

    std::string text() const;  // "deployments.apps web in namespace prod"
};

}  // namespace cudafault::kube
