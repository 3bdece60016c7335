// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "kube/api/client/resource.hpp"

namespace cudafault::kube {

// 10 hex digits of namespace, group, kind and name. Names the objects that cudafault creates for a workload, so it is
// the same in every version of cudafault, of the workload's API, and after the workload was deleted and created again.
std::string workload_hash(const ObjectRef& workload);

}  // namespace cudafault::kube
