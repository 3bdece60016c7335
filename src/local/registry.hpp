// SPDX-License-Identifier: Apache-2.0
// The runs of this user, a file each: the address of the control block while the run is alive, a report afterwards.
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
    damaged,  // its file is not valid
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
    // Throws Error if the folder belongs to another user or others may write into it.
    Registry();

    // Registers a run under its name. Throws Error if a live run has that name.
    void claim(const std::string& name, const nlohmann::json& record);
    void replace(const std::string& name, const nlohmann::json& record) const;
    void remove(const std::string& name) const;

    Run find(const std::string& name) const;           // throws Error, with the names of the live runs
    Run find_readable(const std::string& name) const;  // also throws Error for a damaged file
    std::vector<Run> list() const;                     // oldest first

private:
    std::filesystem::path path(const std::string& name) const;
    Run read(const std::string& name) const;
    void forget_oldest() const;

    std::filesystem::path folder_;
    bool exists_;
};

// A name is visible text that can be a file name. Throws Error for any other.
void check_name(const std::string& name);

}  // namespace cudafault::local
