// SPDX-License-Identifier: Apache-2.0
// Lists the differences of two objects without revealing secrets.
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

// Items of lists are matched by a key such as name or mountPath if all items have one. Their order counts as well.
std::vector<Difference> differences(const std::string& object, const Json& before, const Json& after);

// True if the value of an environment variable with this name must not be shown.
bool is_secret_name(const std::string& name);

}  // namespace cudafault::kube
