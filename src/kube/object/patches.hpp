// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kube/api/client/json_patch.hpp"

namespace cudafault::kube {

// Returns a patch that changes `before`, as read from the server, to `after`. The server rejects the patch if the
// object was changed since.
JsonPatch patch_between(const Json& before, const Json& after);

}  // namespace cudafault::kube
