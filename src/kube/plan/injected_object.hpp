// SPDX-License-Identifier: Apache-2.0
// Which object an injection is in: the one that was named, or the owner above it.
#pragma once

#include <vector>

#include "kube/workload/workload.hpp"

namespace cudafault::kube {

// The choice that loads the injected workload. If the named object itself has a record or a plan (--itself), the result
// does not climb to its owner, and has the record's template paths.
WorkloadChoice where_injected(Client& client, Discovery& discovery, WorkloadChoice choice);

}  // namespace cudafault::kube
