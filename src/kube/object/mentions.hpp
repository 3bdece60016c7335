// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>

#include "kube/api/common/json.hpp"

namespace cudafault::kube {

// Returns true if a string in `value`, at any depth, equals `text`.
inline bool has_mention(const Json& value, const std::string& text) {
    if (value.is_string()) return value == text;
    return value.is_structured() &&
           std::any_of(value.begin(), value.end(), [&](const Json& part) { return has_mention(part, text); });
}

}  // namespace cudafault::kube
