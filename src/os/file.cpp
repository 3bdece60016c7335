// SPDX-License-Identifier: Apache-2.0
#include "os/file.hpp"

#include <cstdio>
#include <memory>

namespace cudafault {

std::optional<std::string> read_whole_file(const std::filesystem::path& path) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
    if (!file) return std::nullopt;
    std::string content;
    char buffer[4096];
    do {
        content.append(buffer, std::fread(buffer, 1, sizeof buffer, file.get()));
        if (std::ferror(file.get())) return std::nullopt;
    } while (!std::feof(file.get()));
    return content;
}

}  // namespace cudafault
