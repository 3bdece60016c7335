// SPDX-License-Identifier: Apache-2.0
// The runs of this user: one file each, which tells where its control block is while it lives and what happened
// afterwards.
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
    lost,     // its `cudafault run` was killed: the evidence went with it
    damaged,  // its file says nothing that could be understood
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
    // Throws Error if the folder belongs to somebody else or others may write into it.
    Registry();

    // Makes the run's name its own, if no live run has it. Throws Error.
    void claim(const std::string& name, const nlohmann::json& record);
    void replace(const std::string& name, const nlohmann::json& record) const;
    void remove(const std::string& name) const;

    Run find(const std::string& name) const;           // throws Error, which names the live runs
    Run find_readable(const std::string& name) const;  // and for a damaged file
    std::vector<Run> list() const;                     // oldest first

private:
    std::filesystem::path path(const std::string& name) const;
    Run read(const std::string& name) const;
    void forget_oldest() const;

    std::filesystem::path folder_;
    bool exists_;
};

// A name is a file name too. Throws Error.
void check_name(const std::string& name);

}  // namespace cudafault::local
