// SPDX-License-Identifier: Apache-2.0
// Which object an injection is in: the one that was named, or the owner above it.
#pragma once

#include "kube/workload.hpp"

namespace cudafault::kube {

// The choice as load_workload has to take it: without climbing where the object itself was injected (--itself), as its
// record or its plan tells, and with the record's template paths.
WorkloadChoice where_injected(Client& client, Discovery& discovery, WorkloadChoice choice);

}  // namespace cudafault::kube
