// SPDX-License-Identifier: Apache-2.0
// Compares two objects without revealing secrets.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kube/api/common/json.hpp"

namespace cudafault::kube {

struct Difference {
    std::string object;
    std::string path;                   // empty for the whole object
    std::optional<std::string> before;  // JSON, shortened if long; nullopt if the field is missing
    std::optional<std::string> after;
};

// Returns the differences between `before` and `after`. Matches list items by a key such as name or mountPath if all
// items have that key; a changed order is then also a difference.
std::vector<Difference> differences(const std::string& object, const Json& before, const Json& after);

// True if the value of an environment variable with this name must not be shown.
bool is_secret_name(const std::string& name);

}  // namespace cudafault::kube
