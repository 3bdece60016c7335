// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace cudafault::kube {

// A text of others as it may be printed: control characters, which would break the line or move a terminal's cursor,
// become spaces.
inline std::string one_line(std::string text) {
    for (char& c : text) {
        if (static_cast<unsigned char>(c) < ' ' || c == 127) c = ' ';
    }
    return text;
}

}  // namespace cudafault::kube
