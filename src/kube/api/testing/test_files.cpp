// SPDX-License-Identifier: Apache-2.0
#include "kube/api/testing/test_files.hpp"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace cudafault::kube {

TestFolder::TestFolder() {
    std::string pattern = std::filesystem::temp_directory_path() / "kube-test-XXXXXX";
    if (!mkdtemp(pattern.data())) {
        throw std::runtime_error(
            std::string("cannot create \"").append(pattern).append("\": ").append(strerror(errno)));
    }
    path_ = pattern;
}

TestFolder::~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string TestFolder::write(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << content;
    return file(name);
}

std::string TestFolder::program(const std::string& name, const std::string& script) const {
    const std::string path = write(name, "#!/bin/sh\n" + script);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
}

std::string TestFolder::read(const std::string& name) const {
    std::ostringstream content;
    content << std::ifstream(path_ / name).rdbuf();
    return content.str();
}

Getenv environment(std::map<std::string, std::string> variables) {
    return [variables = std::move(variables)](const char* name) -> const char* {
        const auto found = variables.find(name);
        return found == variables.end() ? nullptr : found->second.c_str();
    };
}

}  // namespace cudafault::kube
