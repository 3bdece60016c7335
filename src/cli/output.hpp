// SPDX-License-Identifier: Apache-2.0
// Prints output for people (tables, colors, local times) and for programs (JSON).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace cudafault::cli {

void print_json(const nlohmann::json& document);       // indented
void print_json_line(const nlohmann::json& document);  // in one line, flushed immediately

void print_notes(const std::vector<std::string>& notes);  // on standard error, one line each

void flush_output();  // throws Error if standard output cannot be written

enum class Paint { bold, good, bad, quiet };
std::string paint(Paint paint, const std::string& text);  // colors on a terminal only

// Left-aligned columns; the first row is the heading.
class Table {
public:
    explicit Table(std::vector<std::string> heading) : rows_{std::move(heading)} {}

    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    std::string text(const std::string& indent = "") const;

private:
    std::vector<std::vector<std::string>> rows_;
};

std::string local_time(const std::string& utc);         // of an RFC 3339 time: 2026-11-23 13:00:00.123
std::string duration_text(uint64_t ns);                 // 90 s, 2 h
std::string command_text(const nlohmann::json& words);  // quoted for a shell
std::string text_or(const nlohmann::json& value, const std::string& otherwise);  // `otherwise` replaces null

}  // namespace cudafault::cli
