// SPDX-License-Identifier: Apache-2.0
// Splits a stream that arrives in arbitrary chunks, such as a watch or a log, into lines.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace cudafault::kube {

class LineSplitter {
public:
    // Calls `on_line(std::string_view)` for each complete line, without its line break. If `on_line` returns false,
    // discards the remainder of the chunk and returns false.
    template <typename OnLine>
    bool feed(std::string_view chunk, const OnLine& on_line) {
        for (size_t end; (end = chunk.find('\n')) != std::string_view::npos; chunk.remove_prefix(end + 1)) {
            incomplete_ += chunk.substr(0, end);
            const std::string line = std::exchange(incomplete_, {});
            if (!on_line(std::string_view(line))) return false;
        }
        incomplete_ += chunk;
        return true;
    }

private:
    std::string incomplete_;
};

}  // namespace cudafault::kube
