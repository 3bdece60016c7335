// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <random>
#include <string>

namespace cudafault::kube {

// Returns eight random hexadecimal digits.
inline std::string random_id() {
    std::random_device random;
    return fmt::format("{:08x}", random());
}

}  // namespace cudafault::kube
