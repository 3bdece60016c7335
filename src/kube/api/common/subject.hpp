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
    std::string kind = {};  // of the object with that name, such as "deployment.apps"; empty: `resource` is used

    // "deployment.apps/web in namespace prod", "log of pod/web-1 in namespace prod", "pods in namespace prod"
    std::string text() const;
};

}  // namespace cudafault::kube
