// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>
#include <string_view>

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

// CLI11 reports a value that is not a number as "Could not convert: NAME = VALUE".
std::string conversion_text(const std::string& text) {
    constexpr std::string_view kPrefix = "Could not convert: ", kSeparator = " = ";
    const size_t separator = text.find(kSeparator);
    if (!text.starts_with(kPrefix) || separator == std::string::npos) return text;
    return fmt::format("invalid {} \"{}\": expected a whole number",
                       text.substr(kPrefix.size(), separator - kPrefix.size()),
                       text.substr(separator + kSeparator.size()));
}

int parse(CLI::App& app, int argc, char** argv) {
    try {
        app.parse(argc, argv);
        return local::kDone;
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
        const std::string text = conversion_text(error.what());
        return report_error(fmt::format("{}; see `{}`", text, help_of(app)).c_str(), local::kUsage);
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
