// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kube/api/common/json.hpp"

namespace cudafault::kube {

// Returns the object as a client would create it: without the status, and without fields that the API server, its
// admission plugins, the scheduler or a built-in controller of Kubernetes has set.
Json without_server_fields(const Json& object);

}  // namespace cudafault::kube
