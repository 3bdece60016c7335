// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/completion.hpp"
#include "cli/help.hpp"
#include "cli/k8s/cluster.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "local/error.hpp"

namespace cudafault::cli {
namespace {

constexpr const char* kAbout = "Make GPUs fail inside any CUDA program, without changing the program.";
constexpr const char* kExamples = R"(Examples:
  cudafault run --plan 'xid=79 gpu=0' -- ./my_program     GPU 0 fails from the start
  cudafault run --name trial -- ./my_program              GPU 0 fails when a second terminal arms the plan:
  cudafault arm trial 'xid=79 gpu=0'
  cudafault status trial
  cudafault disarm trial

Exit codes: 0 success, 2 invalid arguments or an invalid plan, 3 failure on this machine, such as an unknown run. `run` exits
as its command does, or with 125 to 127 as `env` does.)";

void add_verbs(CLI::App& app, const std::string& version, const std::vector<std::string>& command) {
    app.formatter(std::make_shared<HelpFormatter>());
    app.require_subcommand(1);
    app.set_version_flag("--version", "cudafault " + version);
    app.footer(kExamples);
    add_run(app, command);
    add_arm(app);
    add_disarm(app);
    add_status(app);
    add_events(app);
    add_check(app);
    add_xids(app);
    add_explain(app);
    add_functions(app);
    add_kernel_log(app);
    add_k8s(app);
    add_completion(app);
}

int report_error(const char* message, int code) {
    std::fflush(stdout);
    fmt::print(stderr, "cudafault: {}\n", message);
    return code;
}

std::string help_of(const CLI::App& app) {
    std::string command = "cudafault";
    for (const CLI::App* verb = &app; !verb->get_subcommands().empty();) {
        verb = verb->get_subcommands().front();
        command += " " + verb->get_name();
    }
    return command + " --help";
}

// The deepest verb on the command line.
const CLI::App& verb_of(const CLI::App& app) {
    const CLI::App* verb = &app;
    while (!verb->get_subcommands().empty()) verb = verb->get_subcommands().front();
    return *verb;
}

std::string missing_command_text(const CLI::App& app) {
    const std::vector<std::string> words = verb_of(app).remaining();
    return words.empty() ? "missing command" : fmt::format("unknown command \"{}\"", words.front());
}

std::string unexpected_text(const CLI::App& app) {
    std::string text;
    for (const std::string& word : app.remaining(true)) text += fmt::format("{}\"{}\"", text.empty() ? "" : " ", word);
    return "unexpected argument " + text;
}

// CLI11's message in the form of cudafault's other messages. The formats are those of CLI11 2.
std::string usage_text(const CLI::ParseError& error, const CLI::App& app) {
    std::string text = error.what();
    if (dynamic_cast<const CLI::ExtrasError*>(&error)) return unexpected_text(app);
    if (text == "A subcommand is required") return missing_command_text(app);
    const std::pair<std::regex, const char*> forms[] = {
        {std::regex("Could not convert: (.*) = (.*)"), "invalid $1 \"$2\": expected a whole number"},
        {std::regex("(\\S+) is required"), "missing $1"},
        {std::regex("(\\S+): \\d+ required (\\S+) missing"), "missing value of $1: expected $2"},
        {std::regex("(\\S+): Value (.*) not in range (\\S+) to (\\S+)"),
         "invalid $1 \"$2\": expected a number from $3 to $4"},
        {std::regex("\\S+: (invalid .*)"), "$1"},
    };
    for (const auto& [pattern, form] : forms) {
        if (std::regex_match(text, pattern)) return std::regex_replace(text, pattern, form);
    }
    std::smatch parts;
    if (std::regex_match(text, parts, std::regex("(\\S+): (.*) not in \\{(.*)\\}"))) {
        const std::string words = std::regex_replace(parts[3].str(), std::regex(","), ", ");
        return fmt::format("invalid {} \"{}\": expected one of {}", parts[1].str(), parts[2].str(), words);
    }
    return text;
}

int parse(CLI::App& app, int argc, char** argv) {
    try {
        app.parse(argc, argv);
        return local::kDone;
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
        return report_error(fmt::format("{}; see `{}`", usage_text(error, app), help_of(app)).c_str(), local::kUsage);
    }
}

}  // namespace

int run_command_line(int argc, char** argv, const std::string& version) {
    CLI::App app(kAbout, "cudafault");
    add_verbs(app, version, take_command(argc, argv));
    try {
        if (argc > 1 && std::string_view(argv[1]) == "__complete") {
            for (const std::string& word : completions(app, {argv + 2, argv + argc})) fmt::print("{}\n", word);
            return 0;
        }
        const int code = parse(app, argc, argv);
        flush_output();
        return code;
    } catch (const local::Error& error) {
        return report_error(error.what(), error.exit_code);
    } catch (const nlohmann::json::exception&) {
        return report_error("cannot show the run, because its file is damaged: start the run again",
                            local::kEnvironment);
    } catch (const std::exception& error) {
        return report_error(error.what(), local::kEnvironment);
    }
}

}  // namespace cudafault::cli
