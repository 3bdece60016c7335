// SPDX-License-Identifier: Apache-2.0
// Restores the ownership of fields (metadata.managedFields). When cudafault replaces a value and restores it later, the
// API server records cudafault as the manager of the field; with_previous_managers records the previous manager again.
#pragma once

#include <optional>

#include "kube/api/common/json.hpp"

namespace cudafault::kube {

// Returns `current` without cudafault's entry. The fields in that entry are assigned to their managers in `before`.
// Changes that other managers have made since are kept. Returns nullopt if cudafault manages no field. `current` and
// `before` are values of metadata.managedFields.
std::optional<Json> with_previous_managers(const Json& current, const Json& before);

}  // namespace cudafault::kube
