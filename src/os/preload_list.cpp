// SPDX-License-Identifier: Apache-2.0
#include "os/preload_list.hpp"

#include <algorithm>

namespace cudafault {

std::vector<std::string> preloaded(std::string_view value) {
    std::vector<std::string> libraries;
    for (size_t start = 0; start < value.size();) {
        const size_t end = std::min(value.find_first_of(kPreloadSeparators, start), value.size());
        if (end > start) libraries.emplace_back(value.substr(start, end - start));
        start = end + 1;
    }
    return libraries;
}

}  // namespace cudafault
