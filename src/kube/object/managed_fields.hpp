// SPDX-License-Identifier: Apache-2.0
// Who owns which field, as the API server keeps it. A value that was replaced and put back is owned by who put it back;
// this gives it to whom it belonged.
#pragma once

#include <optional>

#include "kube/api/common/json.hpp"

namespace cudafault::kube {

// The list as it has to be: without our entry, and with what we took from the others back in theirs. What they changed
// meanwhile stays. Nothing if we own nothing. `now` and `before` are metadata.managedFields.
std::optional<Json> given_back(const Json& now, const Json& before);

}  // namespace cudafault::kube
