// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kube/api/client/json_patch.hpp"

namespace cudafault::kube {

// From the object as it was read to what it shall be, refused by the server if it has changed meanwhile.
JsonPatch patch_between(const Json& before, const Json& after);

}  // namespace cudafault::kube
