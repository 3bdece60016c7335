// SPDX-License-Identifier: Apache-2.0
// Reads the tab-separated tables in data/. Comment lines start with #. The first other line is the header line, which
// names the columns.
#pragma once

#include <charconv>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace cudafault::codegen {

// An error in a data file. what() is "file:line: message"; line 0 means the whole file, and is omitted.
class DataError : public std::runtime_error {
public:
    DataError(const std::filesystem::path& file, size_t line, const std::string& message);
};

struct TsvRow {
    size_t line;                      // 1-based
    std::vector<std::string> fields;  // in the order of the requested columns
};

// Returns the requested columns of each row. Throws DataError if a column is missing or a field is empty.
std::vector<TsvRow> read_tsv(const std::filesystem::path& file, const std::vector<std::string>& columns);

std::vector<std::string> split(const std::string& text, char separator);

// Parses the whole text as a decimal number. Returns false if the text is anything else or out of range.
template <typename Number>
bool parse_number(std::string_view text, Number& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace cudafault::codegen
