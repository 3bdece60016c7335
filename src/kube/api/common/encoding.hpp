// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cudafault::kube {

std::string base64_encode(std::string_view bytes);

// White space is skipped. Nothing if it is no base64.
std::optional<std::string> base64_decode(std::string_view text);

// For a segment of a path, a name or a value of a query, or a key of Impersonate-Extra-: all but letters, digits and
// -._~ is encoded.
std::string percent_encode(std::string_view text);

std::string lower_case(std::string text);  // of ASCII

using Query = std::vector<std::pair<std::string, std::string>>;

// "?a=b&c=d", or "" if it is empty.
std::string query_string(const Query& query);

}  // namespace cudafault::kube
