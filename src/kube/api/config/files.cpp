// SPDX-License-Identifier: Apache-2.0
#include "kube/api/config/files.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "kube/api/common/error.hpp"

namespace cudafault::kube {

namespace {

[[noreturn]] void fail(const std::string& file, const std::string& what) {
    throw ConfigError(fmt::format("cannot read {} {}: {}", what, file, std::strerror(errno)));
}

}  // namespace

std::optional<std::string> read_if_exists(const std::string& file, const std::string& what) {
    const std::unique_ptr<FILE, int (*)(FILE*)> stream(std::fopen(file.c_str(), "re"), std::fclose);
    if (!stream) {
        if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
        fail(file, what);
    }
    std::string content;
    char buffer[4096];
    do {
        content.append(buffer, std::fread(buffer, 1, sizeof buffer, stream.get()));
        if (std::ferror(stream.get())) fail(file, what);
    } while (!std::feof(stream.get()));
    return content;
}

std::string read_file(const std::string& file, const std::string& what) {
    auto content = read_if_exists(file, what);
    if (!content) fail(file, what);
    return *content;
}

std::string data_or_file(const std::string& data, const std::string& file, const std::string& what) {
    return data.empty() && !file.empty() ? read_file(file, what) : data;
}

}  // namespace cudafault::kube
