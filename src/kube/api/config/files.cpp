// SPDX-License-Identifier: Apache-2.0
#include "kube/api/config/files.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "kube/api/common/error.hpp"
#include "os/file.hpp"

namespace cudafault::kube {

namespace {

[[noreturn]] void fail(const std::string& file, const std::string& what) {
    throw ConfigError(fmt::format("cannot read {} {}: {}", what, file, std::strerror(errno)));
}

}  // namespace

std::optional<std::string> read_if_exists(const std::string& file, const std::string& what) {
    auto content = read_whole_file(file);
    if (!content && errno != ENOENT && errno != ENOTDIR) fail(file, what);
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
