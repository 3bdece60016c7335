// SPDX-License-Identifier: Apache-2.0
#include "cli/help.hpp"

#include <fmt/format.h>

#include <sstream>
#include <vector>

namespace cudafault::cli {

namespace {

constexpr size_t kColumn = 30;  // column of the descriptions
constexpr size_t kWidth = 110;

std::string usage_of(const CLI::Option* positional) {
    if (!positional->get_option_text().empty()) return positional->get_option_text();
    const std::string name = positional->get_name(true, false);
    return positional->get_required() ? name : "[" + name + "]";
}

std::string name_of(const CLI::Option* option, bool is_positional) {
    if (is_positional) return usage_of(option);
    std::string name;
    for (const std::string& each : option->get_snames()) name += fmt::format("{}-{}", name.empty() ? "" : ", ", each);
    for (const std::string& each : option->get_lnames()) name += fmt::format("{}--{}", name.empty() ? "" : ", ", each);
    if (option->get_type_size() == 0) return name;
    const std::string type = option->get_type_name();  // VALUE, or VALUE:{one,another} with a check
    return name + " " + type.substr(0, type.find(':'));
}

std::string description_of(const CLI::Option* option) {
    const std::string& text = option->get_description();
    const std::string value = option->get_default_str();
    const bool has_default = option->get_type_size() != 0 && !value.empty();
    return has_default ? fmt::format("{} (default: {})", text, value) : text;
}

std::string in_columns(const std::string& name, const std::string& description) {
    std::string out, line = "  " + name;
    if (line.size() + 2 > kColumn) {
        out = line + "\n";
        line.clear();
    }
    line.resize(kColumn, ' ');
    std::istringstream words(description);
    bool is_first = true;
    for (std::string word; words >> word; is_first = false) {
        if (!is_first && line.size() + 1 + word.size() > kWidth) {
            out += line + "\n";
            line.assign(kColumn, ' ');
            is_first = true;
        }
        line += (is_first ? "" : " ") + word;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return out + line + "\n";
}

std::vector<const CLI::Option*> options_of(const CLI::App& app, const std::string& group, bool is_positional) {
    return app.get_options([&](const CLI::Option* option) {
        return option->get_positional() == is_positional && !option->get_group().empty() &&
               (is_positional || option->get_group() == group);
    });
}

std::string section(const std::string& title, const std::vector<const CLI::Option*>& options, bool is_positional) {
    std::string text;
    for (const CLI::Option* option : options) {
        text += in_columns(name_of(option, is_positional), description_of(option));
    }
    return text.empty() ? "" : fmt::format("\n{}:\n{}", title, text);
}

std::string commands_of(const CLI::App& app) {
    std::string text;
    for (const CLI::App* command : app.get_subcommands({})) {
        if (command->get_group().empty()) continue;
        text += in_columns(command->get_name(), command->get_description());
    }
    return text.empty() ? "" : "\nCommands:\n" + text;
}

}  // namespace

std::string HelpFormatter::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode) const {
    std::string text = fmt::format("{}\n\nUsage: {}\n", app->get_description(), usage(*app, name));
    text += section("Arguments", options_of(*app, "", true), true);
    text += commands_of(*app);
    for (const std::string& group : app->get_groups()) text += section(group, options_of(*app, group, false), false);
    const std::string footer = app->get_footer();
    return footer.empty() ? text : fmt::format("{}\n{}\n", text, footer);
}

std::string HelpFormatter::usage(const CLI::App& app, const std::string& name) const {
    if (!app.get_subcommands({}).empty()) return name + " COMMAND [OPTIONS]";
    std::string text = name;
    for (const CLI::Option* positional : options_of(app, "", true)) text += " " + usage_of(positional);
    return text + " [OPTIONS]";
}

}  // namespace cudafault::cli
