// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "kube/api/client/resource.hpp"

namespace cudafault::kube {

// Returns 10 hex digits computed from namespace, group, kind and name. The hash names the objects that cudafault
// creates for a workload. It is therefore the same in every version of cudafault and of the workload's API, and after
// the workload was deleted and created again.
std::string workload_hash(const ObjectRef& workload);

}  // namespace cudafault::kube
