// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "kernel_log/lines.hpp"
#include "os/descriptor.hpp"

namespace cudafault::kernel_log {

enum class Format {
    text,    // only the text
    record,  // as a reader of /dev/kmsg sees it: "4,1,1000000,c;" and the text
};

bool is_device(const std::string& target);  // a character device, such as /dev/kmsg

// A target for lines: standard output, a file, or the kernel log.
class Sink {
public:
    // `target` is "-" for standard output, the path of a kernel log device such as /dev/kmsg, or a file to append to.
    // Throws std::runtime_error if it cannot be opened. Never creates a file below /dev.
    Sink(const std::string& target, Format format);

    // Writes the line with one write. A device gets the level before the text; Format applies to other targets.
    // Throws std::runtime_error if the line cannot be written completely.
    void write(const Line& line);

private:
    void write_text(std::string_view text);

    std::string target_;
    Descriptor file_;  // none: standard output
    bool is_device_ = false;
    Format format_;
    unsigned sequence_ = 0;  // of Format::record
};

}  // namespace cudafault::kernel_log
