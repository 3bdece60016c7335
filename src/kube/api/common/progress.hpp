// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

namespace cudafault::kube {

// Receives one line for the user after each change during a long operation. Called on the operation's thread.
using Progress = std::function<void(const std::string& line)>;

}  // namespace cudafault::kube
