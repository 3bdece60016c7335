// SPDX-License-Identifier: Apache-2.0
// Finds the object that was injected: the named object or its owner.
#pragma once

#include <vector>

#include "kube/workload/workload.hpp"

namespace cudafault::kube {

// Returns the choice that loads the injected workload. If the named object itself has a record or a plan (--itself),
// the choice selects that object and not its owner, and has the template paths of the record.
WorkloadChoice resolve_injected_workload(Client& client, Discovery& discovery, WorkloadChoice choice);

}  // namespace cudafault::kube
