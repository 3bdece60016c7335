// SPDX-License-Identifier: Apache-2.0
// Reads the tab-separated tables of data/: comment lines start with #, the first other line names the columns.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace cudafault::codegen {

// A mistake in a data file; what() is "file:line: what is wrong". Line 0 is the file as a whole.
class DataError : public std::runtime_error {
public:
    DataError(const std::filesystem::path& file, size_t line, const std::string& message);
};

struct TsvRow {
    size_t line;                      // 1-based, for messages
    std::vector<std::string> fields;  // in the order of the columns asked for
};

// These columns of each row; a column that is missing or empty is a DataError.
std::vector<TsvRow> read_tsv(const std::filesystem::path& file, const std::vector<std::string>& columns);

std::vector<std::string> split(const std::string& text, char separator);

}  // namespace cudafault::codegen
