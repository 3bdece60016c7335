// SPDX-License-Identifier: Apache-2.0
// Lines out of a stream that is cut anywhere, as watches and logs come.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace cudafault::kube {

class LineSplitter {
public:
    // Calls `on_line(std::string_view)` for each line that is complete now, without its end. It gives false to stop.
    // False if it was stopped; what follows is lost then.
    template <typename OnLine>
    bool feed(std::string_view chunk, const OnLine& on_line) {
        for (size_t end; (end = chunk.find('\n')) != std::string_view::npos; chunk.remove_prefix(end + 1)) {
            rest_ += chunk.substr(0, end);
            const std::string line = std::exchange(rest_, {});
            if (!on_line(std::string_view(line))) return false;
        }
        rest_ += chunk;
        return true;
    }

    // The beginning of a line whose end has not come.
    const std::string& rest() const { return rest_; }

private:
    std::string rest_;
};

}  // namespace cudafault::kube
