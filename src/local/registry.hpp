// SPDX-License-Identifier: Apache-2.0
// Keeps a file for each run of this user. The file contains the address of the control block while the run is live, and
// the report of the run afterwards.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "local/control.hpp"
#include "local/machine.hpp"

namespace cudafault::local {

enum class RunState {
    running,
    ended,
    lost,     // `cudafault run` was killed, and the evidence is lost
    damaged,  // the file of the run is invalid
};
const char* state_name(RunState state);

struct Run {
    std::string name;
    RunState state;
    std::filesystem::path file;
    nlohmann::json record;

    Address address() const;
};

class Registry {
public:
    // Throws Error if the folder belongs to another user or other users can access it.
    Registry();

    // Registers a run under its name. Throws Error if a live run has that name.
    void claim(const std::string& name, const nlohmann::json& record);

    // Replaces the record of a run atomically. Throws Error if the record cannot be written.
    void replace(const std::string& name, const nlohmann::json& record) const;

    // Removes the file of a run, if it exists.
    void remove(const std::string& name) const;

    Run find(const std::string& name) const;           // throws Error, with the names of the live runs
    Run find_readable(const std::string& name) const;  // also throws Error for a damaged file
    std::vector<Run> list() const;                     // oldest first

private:
    std::filesystem::path path(const std::string& name) const;
    Run read(const std::string& name) const;
    void remove_oldest() const;

    std::filesystem::path folder_;
    bool exists_;
};

// Throws Error unless the name is visible text that can be a file name.
void check_name(const std::string& name);

}  // namespace cudafault::local
