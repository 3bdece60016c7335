// SPDX-License-Identifier: Apache-2.0
#include "os/process.hpp"

#include <fmt/format.h>

#include <string>

#include "os/file.hpp"
#include "os/process_stat.hpp"
#include "os/time_namespace.hpp"

namespace cudafault {

namespace {

std::string content_of(const std::string& path) { return read_whole_file(path).value_or(""); }

const TimeOffsets& own_time_offsets() {
    static const TimeOffsets offsets = [] {
        const std::string content = content_of(kTimeOffsetsFile);
        return time_offsets_in({content.data(), content.size()});
    }();
    return offsets;
}

}  // namespace

std::optional<uint64_t> start_time(pid_t pid) {
    const std::string stat = content_of(fmt::format("/proc/{}/stat", pid));
    const uint64_t ticks = start_time_in({stat.data(), stat.size()});
    return ticks > 0 ? std::optional(shared_start_time(ticks, own_time_offsets())) : std::nullopt;
}

std::string boot_id() {
    const std::string content = content_of(kBootIdFile);
    return content.substr(0, content.find('\n'));
}

uint64_t shared_monotonic_ns() { return shared_monotonic_ns(own_time_offsets()); }

}  // namespace cudafault
