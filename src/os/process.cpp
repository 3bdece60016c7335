// SPDX-License-Identifier: Apache-2.0
#include "os/process.hpp"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <string>

#include "os/process_stat.hpp"

namespace cudafault {

std::optional<uint64_t> start_time(pid_t pid) {
    std::ifstream file(fmt::format("/proc/{}/stat", pid));
    const std::string stat(std::istreambuf_iterator<char>(file), {});
    const uint64_t ticks = start_time_in({stat.data(), stat.size()});
    return ticks > 0 ? std::optional(ticks) : std::nullopt;
}

}  // namespace cudafault
