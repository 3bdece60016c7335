// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace cudafault {

// Makes text from another source safe to print: replaces control characters, which could break the line or move the
// terminal's cursor, with spaces.
inline std::string one_line(std::string text) {
    for (char& c : text) {
        if (static_cast<unsigned char>(c) < ' ' || c == 127) c = ' ';
    }
    return text;
}

}  // namespace cudafault
