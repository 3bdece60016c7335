// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cudafault::kube {

std::string base64_encode(std::string_view bytes);

// Skips white space. Returns nullopt for invalid base64.
std::optional<std::string> base64_decode(std::string_view text);

// Encodes all characters except letters, digits and -._~. Use it for a path segment, a name or value of a query, or the
// key in an Impersonate-Extra- header.
std::string percent_encode(std::string_view text);

std::string lower_case(std::string text);  // changes ASCII letters only

using Query = std::vector<std::pair<std::string, std::string>>;

// Returns "?a=b&c=d", or "" for an empty query.
std::string query_string(const Query& query);

}  // namespace cudafault::kube
