// SPDX-License-Identifier: Apache-2.0
// Keeps a rolling update from needing more GPUs than its workload already holds.
#pragma once

#include "kube/object/edits.hpp"
#include "kube/workload/kinds.hpp"

namespace cudafault::kube {

// If the update strategy that the object has now creates a pod before it deletes one, sets maxSurge to 0 and
// maxUnavailable to what the owner allows, at least one: a surge pod of a full fleet is unschedulable for ever.
// `pinned`: all pods have to move to one node, so all are replaced together. Does nothing for kinds that do not surge.
void forbid_surge(Editor& editor, const Resource& kind, bool pinned);

// The number of pods that `max_unavailable` (a number or a percentage, rounded down) allows of `replicas`, at least
// one.
int unavailable_allowed(const Json& max_unavailable, int replicas);

}  // namespace cudafault::kube
