// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace cudafault::kube {

// The text of that field, or "" if `object` is no object or has no text there.
inline std::string text_at(const nlohmann::json& object, const char* field) {
    if (!object.is_object()) return "";
    const auto found = object.find(field);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// That field, or null if `object` is no object or has it not.
inline const nlohmann::json& value_at(const nlohmann::json& object, const char* field) {
    static const nlohmann::json null;
    if (!object.is_object()) return null;
    const auto found = object.find(field);
    return found != object.end() ? *found : null;
}

}  // namespace cudafault::kube
