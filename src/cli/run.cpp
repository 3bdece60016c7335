// SPDX-License-Identifier: Apache-2.0
#include "local/run.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <string_view>

#include "cli/help.hpp"
#include "cli/verbs.hpp"
#include "local/error.hpp"
#include "local/spec.hpp"

namespace cudafault::cli {

namespace {

constexpr const char* kRunExamples = R"(Examples:
  cudafault run -- ./my_program                                     nothing armed: as without cudafault
  cudafault run --plan 'xid=79 gpu=0' -- python train.py
  cudafault run --gpus sim:2 --name trial -- ./serve --port 8000    two simulated H100s
  cudafault run --gpus sim:A100:4,L4:1 -- ./my_program

GPUs: `real`, or `sim:` and N, MODEL:N or a list of those; models are A100, B200, H100, H200 and L4. Without --gpus the
real ones, or the simulated ones of the run that this one is started in. CUDAFAULT_SIM_MEMORY=16G in the environment
gives each simulated GPU so much memory.

The command keeps its terminal, input and output. Signals sent to `cudafault run` reach it, and `cudafault run` ends as
it does: with its exit code, or by the same signal (128 + the signal's number in a shell). Own exit codes: 2 a refused
plan, 125 another obstacle, 126 the command cannot be run, 127 it is not there; nothing was started then.

The last 100 runs can be asked for with `cudafault status`, until the machine restarts.)";

constexpr const char* kValueOptions[] = {"--gpus", "--name", "--plan"};

// CLI11 does not know of the command.
class RunHelp : public HelpFormatter {
protected:
    std::string usage(const CLI::App&, const std::string&) const override {
        return "cudafault run [OPTIONS] -- COMMAND [ARGUMENT]...";
    }
};

struct RunOptions {
    std::string gpus, name;
    std::vector<std::string> plans;
};

local::RunOptions run_options(const RunOptions& options, const CLI::App& verb,
                              const std::vector<std::string>& command) {
    if (command.empty())
        throw local::Error(local::kUsage, "the command is missing: cudafault run [OPTIONS] -- COMMAND");
    local::RunOptions out;
    if (verb.count("--gpus") > 0) out.gpus = options.gpus;
    out.name = options.name;
    out.plan = local::join_specs(options.plans);
    out.command = command;
    return out;
}

local::End run_or_125(const local::RunOptions& options) {
    try {
        return local::run(options);
    } catch (const local::Error& error) {
        if (error.exit_code != local::kEnvironment) throw;
        throw local::Error(local::kOwnFailure, error.what());  // 3 might be the command's own
    }
}

}  // namespace

std::vector<std::string> take_command(int& argc, char** argv) {
    if (argc < 2 || std::string_view(argv[1]) != "run") return {};
    int end = 2;
    while (end < argc && argv[end][0] == '-' && std::string_view(argv[end]) != "--") {
        const bool takes_next = std::find(std::begin(kValueOptions), std::end(kValueOptions),
                                          std::string_view(argv[end])) != std::end(kValueOptions);
        end += takes_next ? 2 : 1;
    }
    if (end >= argc) return {};
    const bool marked = std::string_view(argv[end]) == "--";
    std::vector<std::string> command(argv + end + marked, argv + argc);
    argc = end;
    return command;
}

void add_run(CLI::App& app, const std::vector<std::string>& command) {
    const auto options = std::make_shared<RunOptions>();
    CLI::App* verb = app.add_subcommand("run", "Starts a command whose GPU calls can be made to fail");
    verb->formatter(std::make_shared<RunHelp>());
    verb->add_option("--gpus", options->gpus, "real, sim:N, sim:MODEL:N or a list such as sim:H100:4,L4:2");
    verb->add_option("--name", options->name, "How other verbs call this run; default run-PID");
    verb->add_option("--plan", options->plans, "What fails, from the start; may be given several times")
        ->allow_extra_args(false);
    verb->footer(kRunExamples);
    verb->callback([verb, options, command] { local::end_like(run_or_125(run_options(*options, *verb, command))); });
}

}  // namespace cudafault::cli
