// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace cudafault::cli {

// Returns the document as block-style YAML. Strings are quoted if YAML would read them as another type.
std::string yaml_text(const nlohmann::json& document);

}  // namespace cudafault::cli
