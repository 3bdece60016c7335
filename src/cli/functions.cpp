// SPDX-License-Identifier: Apache-2.0
#include "fault/functions.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "local/error.hpp"
#include "local/spec.hpp"

namespace cudafault::cli {

namespace {

using nlohmann::json;

constexpr const char* kFunctionsExamples = R"(Examples:
  cudafault functions                  all functions
  cudafault functions 'cuMem*'         by name
  cudafault functions @copy            by class

The column `default` shows whether the function fails under a plan without calls=; `never` means that the function has no
error code.)";

struct FunctionsOptions {
    std::string pattern = "*";
    bool json = false;
};

// The first row of a function, and the libraries that export the function. The table has a row for each libcudart.
struct Entry {
    int row;
    std::vector<std::string> libraries;
};

bool is_match(int row, const std::string& pattern) {
    if (pattern.starts_with('@')) return pattern.substr(1) == class_name(kFunctions[row].call_class);
    return glob_match(local::text_of(pattern), function_name(row));
}

std::vector<Entry> find_entries(const std::string& pattern) {
    std::vector<Entry> entries;
    for (int row = 0; row < kFunctionCount; ++row) {
        if (!is_match(row, pattern)) continue;
        const bool is_new = entries.empty() || function_name(entries.back().row) != function_name(row);
        if (is_new) entries.push_back({row, {}});
        entries.back().libraries.emplace_back(soname_of(kFunctions[row]));
    }
    return entries;
}

const char* default_behavior_text(const Function& function) {
    return !can_fail(function) ? "never" : function.simple_fails ? "fails" : "passes";
}

void print_table(const std::vector<Entry>& entries) {
    Table table({"function", "class", "default", "library"});
    for (const Entry& entry : entries) {
        const Function& function = kFunctions[entry.row];
        table.add({local::string_of(function_name(entry.row)), fmt::format("@{}", class_name(function.call_class)),
                   default_behavior_text(function), fmt::format("{}", fmt::join(entry.libraries, " "))});
    }
    fmt::print("{}", table.text());
}

json entries_json(const std::vector<Entry>& entries) {
    json list = json::array();
    for (const Entry& entry : entries) {
        const Function& function = kFunctions[entry.row];
        list.push_back({{"function", local::string_of(function_name(entry.row))},
                        {"class", class_name(function.call_class)},
                        {"libraries", entry.libraries},
                        {"can_fail", can_fail(function)},
                        {"fails_by_default", function.simple_fails}});
    }
    return list;
}

void list_functions(const FunctionsOptions& options) {
    const std::vector<Entry> entries = find_entries(options.pattern);
    if (entries.empty()) {
        throw local::Error(local::kUsage,
                           fmt::format("invalid pattern \"{}\": no function matches; expected a glob such as cuMem* "
                                       "or a class such as @copy",
                                       options.pattern));
    }
    if (options.json) {
        print_json({{"functions", entries_json(entries)}});
    } else {
        print_table(entries);
    }
}

}  // namespace

void add_functions(CLI::App& app) {
    const auto options = std::make_shared<FunctionsOptions>();
    CLI::App* verb = app.add_subcommand("functions", "List the functions that calls= can name");
    verb->add_option("pattern", options->pattern, "A glob such as cuMem*, or a class such as @copy");
    verb->add_flag("--json", options->json, "Print JSON");
    verb->footer(kFunctionsExamples);
    verb->callback([options] { list_functions(*options); });
}

}  // namespace cudafault::cli
