// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdlib>

#include "kube/api/common/json.hpp"
#include "kube/object/path.hpp"
#include "kube/object/well_known.hpp"

namespace cudafault::kube {

// Returns the number of a ControllerRevision, or of a ReplicaSet of a Deployment; 0 if it has none.
inline int64_t revision_number(const Json& revision) {
    const Json* number = find(revision, {"revision"});
    if (number && number->is_number_integer()) return number->get<int64_t>();
    return std::atoll(text_at(revision, {"metadata", "annotations", well_known::kDeploymentRevision}).c_str());
}

}  // namespace cudafault::kube
