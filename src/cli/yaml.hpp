// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace cudafault::cli {

// The same document as block-style YAML; strings are quoted where YAML would read them as another type.
std::string yaml_text(const nlohmann::json& document);

}  // namespace cudafault::cli
