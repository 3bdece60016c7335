// SPDX-License-Identifier: Apache-2.0
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

namespace {

using namespace cudafault;

constexpr const char* kAbout = "Make GPUs fail inside any CUDA program, without changing the program.";
constexpr const char* kExamples = R"(Examples:
  cudafault run --plan 'xid=79 gpu=0' -- ./my_program     GPU 0 fails from the start
  cudafault run --name trial -- ./my_program              GPU 0 fails when a second terminal arms the plan:
  cudafault arm trial 'xid=79 gpu=0'
  cudafault status trial
  cudafault disarm trial

Exit codes: 0 success, 2 invalid arguments or an invalid plan, 3 failure on this machine, such as an unknown run. `run` exits
as its command does, or with 125 to 127 as `env` does.)";

void add_verbs(CLI::App& app, const std::vector<std::string>& command) {
    app.formatter(std::make_shared<cli::HelpFormatter>());
    app.require_subcommand(1);
    app.set_version_flag("--version", "cudafault " CUDAFAULT_VERSION);
    app.footer(kExamples);
    cli::add_run(app, command);
    cli::add_arm(app);
    cli::add_disarm(app);
    cli::add_status(app);
    cli::add_events(app);
    cli::add_check(app);
    cli::add_xids(app);
    cli::add_functions(app);
    cli::add_k8s(app);
    cli::add_completion(app);
}

int report_error(const char* message, int code) {
    std::fflush(stdout);
    fmt::print(stderr, "cudafault: {}\n", message);
    return code;
}

std::string help_of(const CLI::App& app) {
    const auto chosen = app.get_subcommands();
    return chosen.empty() ? "cudafault --help" : fmt::format("cudafault {} --help", chosen.front()->get_name());
}

int parse(CLI::App& app, int argc, char** argv) {
    try {
        app.parse(argc, argv);
        return local::kDone;
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
        return report_error(fmt::format("{}; see `{}`", error.what(), help_of(app)).c_str(), local::kUsage);
    }
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app(kAbout, "cudafault");
    add_verbs(app, cli::take_command(argc, argv));
    try {
        if (argc > 1 && std::string_view(argv[1]) == "__complete") {
            for (const std::string& word : cli::completions(app, {argv + 2, argv + argc})) fmt::print("{}\n", word);
            return 0;
        }
        const int code = parse(app, argc, argv);
        cli::flush_output();
        return code;
    } catch (const local::Error& error) {
        return report_error(error.what(), error.exit_code);
    } catch (const nlohmann::json::exception&) {
        return report_error("the file of the run is damaged and cannot be shown: start the run again",
                            local::kEnvironment);
    } catch (const std::exception& error) {
        return report_error(error.what(), local::kEnvironment);
    }
}
