// SPDX-License-Identifier: Apache-2.0
#include "cli/output.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "fault/values.hpp"
#include "local/error.hpp"
#include "local/spec.hpp"
#include "local/system.hpp"
#include "os/one_line.hpp"

namespace cudafault::cli {

namespace {

using nlohmann::json;

std::string dump(const json& document, int indent) {
    return document.dump(indent, ' ', false, json::error_handler_t::replace);
}

bool is_colored() {
    static const bool colored = isatty(STDOUT_FILENO) && !std::getenv("NO_COLOR");
    return colored;
}

// Counts characters and not bytes, because names may contain UTF-8.
size_t width(const std::string& text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string quoted(const std::string& word) {
    constexpr const char* kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%^";
    if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
    std::string out = "'";
    for (const char c : one_line(word)) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
}

}  // namespace

void print_json(const json& document) { fmt::print("{}\n", dump(document, 2)); }

void print_json_line(const json& document) {
    fmt::print("{}\n", dump(document, -1));
    flush_output();
}

void print_notes(const std::vector<std::string>& notes) {
    for (const std::string& note : notes) fmt::print(stderr, "cudafault: {}\n", note);
}

void flush_output() {
    if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return;
    throw local::Error(local::kEnvironment, "cannot write to standard output: " + local::error_text());
}

std::string paint(Paint paint, const std::string& text) {
    if (!is_colored()) return text;
    constexpr const char* kCodes[] = {"1", "32", "31", "2"};
    return fmt::format("\033[{}m{}\033[0m", kCodes[static_cast<int>(paint)], text);
}

std::string Table::text(const std::string& indent) const {
    std::vector<size_t> widths(rows_[0].size());
    for (const auto& row : rows_) {
        for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
    }
    std::string out;
    for (const auto& row : rows_) {
        std::string line = indent;
        for (size_t i = 0; i < row.size(); ++i) {
            line += i + 1 < row.size() ? row[i] + std::string(widths[i] - width(row[i]) + 2, ' ') : row[i];
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += (&row == &rows_[0] ? paint(Paint::bold, line) : line) + "\n";
    }
    return out;
}

std::string local_time(const std::string& utc) {
    uint64_t ns = 0;
    if (!parse_timestamp(local::text_of(utc), ns)) return utc;
    const auto seconds = static_cast<time_t>(ns / 1'000'000'000);
    return fmt::format("{:%Y-%m-%d %H:%M:%S}.{:03}", fmt::localtime(seconds), ns / 1'000'000 % 1000);
}

std::string duration_text(uint64_t ns) {
    struct Unit {
        const char* name;
        uint64_t ns;
    };
    constexpr Unit kUnits[] = {
        {"h", 3'600'000'000'000}, {"min", 60'000'000'000}, {"s", 1'000'000'000}, {"ms", 1'000'000}, {"us", 1'000}};
    for (const Unit& unit : kUnits) {
        if (ns >= unit.ns && ns % unit.ns == 0) return fmt::format("{} {}", ns / unit.ns, unit.name);
    }
    return fmt::format("{} ns", ns);
}

std::string command_text(const json& words) {
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : " ") + quoted(word.get<std::string>());
    return text;
}

std::string text_or(const json& value, const std::string& otherwise) {
    if (value.is_null()) return otherwise;
    return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace cudafault::cli
