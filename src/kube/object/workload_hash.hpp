// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "kube/api/client/resource.hpp"

namespace cudafault::kube {

// Returns 10 hex digits computed from namespace, group, kind and name. The hash is part of the names of the
// objects that cudafault creates for a workload. It is therefore independent of the version of cudafault and of the
// workload's API, and does not change when the workload is deleted and created again.
std::string workload_hash(const ObjectRef& workload);

}  // namespace cudafault::kube
