// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace cudafault::kube {

// Receives one line for the user after each change during a long operation. Called on the operation's thread.
using Progress = std::function<void(const std::string& line)>;

// Returns a callback that several threads can call.
inline Progress serialized(const Progress& report) {
    return [mutex = std::make_shared<std::mutex>(), report](const std::string& line) {
        const std::lock_guard lock(*mutex);
        report(line);
    };
}

// Returns a callback that puts the name before each line, unless the line begins with the name.
inline Progress named(const Progress& report, const std::string& name) {
    return [report, name](const std::string& line) { report(line.starts_with(name) ? line : name + ": " + line); };
}

}  // namespace cudafault::kube
