// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace cudafault {

// Returns the content of a file. Returns nullopt and sets errno if the file cannot be read. Thread-safe.
std::optional<std::string> read_whole_file(const std::filesystem::path& path);

}  // namespace cudafault
