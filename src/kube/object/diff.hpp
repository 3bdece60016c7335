// SPDX-License-Identifier: Apache-2.0
// Where two objects differ, in words that give no secret away.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kube/api/common/json.hpp"

namespace cudafault::kube {

struct Difference {
    std::string object;
    std::string path;                   // empty: the object as a whole
    std::optional<std::string> before;  // as JSON, cut where it is long; nothing: it was not there
    std::optional<std::string> after;
};

// Items of lists are told by name or mountPath where all have one; their order counts.
std::vector<Difference> differences(const std::string& object, const Json& before, const Json& after);

// Whether the value of an environment variable of that name is better not shown.
bool is_secret_name(const std::string& name);

}  // namespace cudafault::kube
