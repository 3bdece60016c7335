// SPDX-License-Identifier: Apache-2.0
// Defines the layout of `--help`: usage, arguments, options with their defaults, wrapped to the width of a page.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace cudafault::cli {

// Subcommands inherit the formatter. A positional's option_text() is its text in the usage line, such as "WORKLOAD...".
// An option's type_name() is the name of its value.
class HelpFormatter : public CLI::FormatterBase {
public:
    std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;

protected:
    virtual std::string usage(const CLI::App& app, const std::string& name) const;
};

}  // namespace cudafault::cli
