// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "kube/api/common/connection.hpp"

namespace cudafault::kube {

// A temporary folder, removed by the destructor.
class TestFolder {
public:
    TestFolder();
    ~TestFolder();
    TestFolder(const TestFolder&) = delete;
    TestFolder& operator=(const TestFolder&) = delete;

    std::filesystem::path path() const { return path_; }
    std::string file(const std::string& name) const { return path_ / name; }
    std::string write(const std::string& name, const std::string& content) const;   // returns the path
    std::string program(const std::string& name, const std::string& script) const;  // writes a shell script
    std::string read(const std::string& name) const;                                // "" if the file does not exist

private:
    std::filesystem::path path_;
};

// Returns a Getenv that finds only these variables.
Getenv environment(std::map<std::string, std::string> variables);

}  // namespace cudafault::kube
