// SPDX-License-Identifier: Apache-2.0
#include "codegen/tsv.hpp"

#include <algorithm>
#include <fstream>
#include <utility>

namespace cudafault::codegen {

namespace {

// Returns the positions of `columns` in the header line.
std::vector<size_t> locate(const std::filesystem::path& file, size_t line, const std::vector<std::string>& header,
                           const std::vector<std::string>& columns) {
    std::vector<size_t> at;
    for (const std::string& column : columns) {
        const auto found = std::find(header.begin(), header.end(), column);
        if (found == header.end()) throw DataError(file, line, "column " + column + " is missing");
        at.push_back(static_cast<size_t>(found - header.begin()));
    }
    return at;
}

std::string location_text(const std::filesystem::path& file, size_t line) {
    return line == 0 ? file.string() : file.string().append(":").append(std::to_string(line));
}

}  // namespace

DataError::DataError(const std::filesystem::path& file, size_t line, const std::string& message)
    : std::runtime_error(location_text(file, line).append(": ").append(message)) {}

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    size_t start = 0;
    for (size_t end; (end = text.find(separator, start)) != std::string::npos; start = end + 1) {
        parts.push_back(text.substr(start, end - start));
    }
    parts.push_back(text.substr(start));
    return parts;
}

std::vector<TsvRow> read_tsv(const std::filesystem::path& file, const std::vector<std::string>& columns) {
    std::ifstream in(file);
    if (!in) throw DataError(file, 0, "cannot read the file");
    std::vector<TsvRow> rows;
    std::vector<std::string> header;
    std::vector<size_t> at;
    std::string text;
    for (size_t line = 1; std::getline(in, text); ++line) {
        if (text.empty() || text[0] == '#') continue;
        const std::vector<std::string> fields = split(text, '\t');
        if (header.empty()) {
            header = fields;
            at = locate(file, line, header, columns);
            continue;
        }
        if (fields.size() != header.size()) {
            throw DataError(
                file, line,
                "has " + std::to_string(fields.size()) + " fields, expected " + std::to_string(header.size()));
        }
        TsvRow row{line, {}};
        for (size_t i = 0; i < columns.size(); ++i) {
            if (fields[at[i]].empty())
                throw DataError(file, line, "column " + columns[i] + " is empty; write - for none");
            row.fields.push_back(fields[at[i]]);
        }
        rows.push_back(std::move(row));
    }
    if (header.empty()) throw DataError(file, 0, "the header line is missing");
    return rows;
}

}  // namespace cudafault::codegen
