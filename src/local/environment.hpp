// SPDX-License-Identifier: Apache-2.0
// Prepares the environment of a run's command.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "local/machine.hpp"
#include "local/products.hpp"

namespace cudafault::local {

// A list of NAME=VALUE entries. If several entries have the same name, get() returns the first, as getenv does.
class Environment {
public:
    explicit Environment(char** entries);

    std::optional<std::string> get(std::string_view name) const;
    void set(std::string_view name, const std::string& value);
    void unset(std::string_view name);
    std::vector<char*> pointers();  // ends with nullptr; valid until the next change

private:
    std::vector<std::string> entries_;
};

// Adds the library, the address of the run's control block and the simulated GPUs, if any, to the environment. Replaces
// the entries of an enclosing run.
void enter_run(Environment& environment, const std::string& address, const Products& products, const Machine& machine);

}  // namespace cudafault::local
