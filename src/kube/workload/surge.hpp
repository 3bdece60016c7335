// SPDX-License-Identifier: Apache-2.0
// Limits a rolling update to the GPUs that its workload already uses.
#pragma once

#include "kube/object/edits.hpp"
#include "kube/workload/kinds.hpp"

namespace cudafault::kube {

// If the object's current update strategy creates a pod before it deletes one, sets maxSurge to 0 and maxUnavailable to
// the value that the owner allows, at least one. Otherwise the surge pod stays unschedulable if all GPUs are in use.
// With `pinned`, all pods are replaced together, because all of them must move to one node. Does nothing for kinds that
// do not surge.
void forbid_surge(Editor& editor, const Resource& kind, bool pinned);

// Returns how many of `replicas` pods `max_unavailable` (a number, or a percentage that is rounded down) allows to be
// unavailable, at least one.
int max_unavailable_count(const Json& max_unavailable, int replicas);

}  // namespace cudafault::kube
