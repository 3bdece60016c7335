// SPDX-License-Identifier: Apache-2.0
// The JSON type, and access to fields of JSON of unknown shape.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace cudafault::kube {

using Json = nlohmann::json;

// The text of that field, or "" if `object` is not an object or has no text there.
inline std::string text_at(const Json& object, const char* field) {
    if (!object.is_object()) return "";
    const auto found = object.find(field);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// That field, or null if `object` is not an object or does not have it.
inline const Json& value_at(const Json& object, const char* field) {
    static const Json null;
    if (!object.is_object()) return null;
    const auto found = object.find(field);
    return found != object.end() ? *found : null;
}

}  // namespace cudafault::kube
