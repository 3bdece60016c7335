// SPDX-License-Identifier: Apache-2.0
// Parses options whose value is a duration.
#pragma once

#include <chrono>
#include <string>

namespace cudafault::cli {

// Parses the value of `option`: a duration as in a plan (src/fault/values.hpp), or a number of seconds; above 0 and at
// most 100 years. Throws local::Error (kUsage), whose message names the option.
std::chrono::nanoseconds duration_option(const char* option, const std::string& text);

// Parses the value of `option` in the same forms. The result is a whole number of seconds, from 0. Throws local::Error
// like duration_option().
std::chrono::seconds seconds_option(const char* option, const std::string& text);

}  // namespace cudafault::cli
