// SPDX-License-Identifier: Apache-2.0
// The resources that every server has.
#pragma once

#include "kube/api/resource.hpp"

namespace cudafault::kube {

const Resource& config_maps();
const Resource& events();  // those of the core group, which all components write
const Resource& namespaces();
const Resource& nodes();
const Resource& pods();
const Resource& leases();
const Resource& replica_sets();
const Resource& controller_revisions();
const Resource& jobs();

}  // namespace cudafault::kube
