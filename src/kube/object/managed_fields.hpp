// SPDX-License-Identifier: Apache-2.0
// Restores the ownership of fields (metadata.managedFields). The API server assigns a value that was replaced and
// restored to the client that restored it; with_previous_managers assigns it to its previous manager.
#pragma once

#include <optional>

#include "kube/api/common/json.hpp"

namespace cudafault::kube {

// Returns the list without cudafault's entry, in which the fields that cudafault took over belong to their previous
// managers. Changes that other managers have made since are kept. Returns nullopt if cudafault owns no field. `now` and
// `before` are values of metadata.managedFields.
std::optional<Json> with_previous_managers(const Json& now, const Json& before);

}  // namespace cudafault::kube
