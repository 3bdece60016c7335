// SPDX-License-Identifier: Apache-2.0
// Defines the JSON type, and access to fields of JSON documents of unknown structure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace cudafault::kube {

using Json = nlohmann::json;

// Returns the string in `field`, or "" if `object` is not an object or has no such string.
inline std::string text_at(const Json& object, const char* field) {
    if (!object.is_object()) return "";
    const auto found = object.find(field);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// Returns the value of `field`, or null if `object` is not an object or lacks the field.
inline const Json& value_at(const Json& object, const char* field) {
    static const Json null;
    if (!object.is_object()) return null;
    const auto found = object.find(field);
    return found != object.end() ? *found : null;
}

}  // namespace cudafault::kube
