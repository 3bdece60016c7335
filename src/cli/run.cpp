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
  cudafault run -- ./my_program                                     nothing is armed
  cudafault run --plan 'xid=79 gpu=0' -- python train.py
  cudafault run --gpus sim:2 --name trial -- ./serve --port 8000    two simulated H100s
  cudafault run --gpus sim:A100:4,L4:1 -- ./my_program
  cudafault run --gpus sim:H100/3g.40gb+1g.10gb:2 -- ./my_program   one H100 with three MIG devices
  cudafault run --must-fire --plan 'xid=79' -- pytest               fails if no fault fired

GPUs: `real`; `sim` for one simulated H100, or for the GPUs that CUDAFAULT_SIM_GPUS in the environment names; `sim:` and
N, MODEL:N, MODEL:N/MIG-PROFILES or a list of these. Models are A100, B200, H100, H200 and L4. Without --gpus the run has
the GPUs of CUDAFAULT_SIM_GPUS if that variable is set, otherwise the real GPUs. CUDAFAULT_SIM_MEMORY=16G sets the memory
of each simulated GPU.

The command keeps its terminal, input and output. Signals sent to `cudafault run` are forwarded to the command.
`cudafault run` ends with the exit code of the command, or by the same signal (128 + the signal's number in a shell).
If a plan was armed and no fault fired, one line on standard error reports this and names the most likely reason.

Other exit codes: 2 the plan is refused, 125 another failure before the command starts or no fault fired under
--must-fire, 126 the command cannot be executed, 127 the command was not found.

`cudafault status` shows the last 100 runs, until the machine restarts.)";

constexpr const char* kValueOptions[] = {"--gpus", "--name", "--plan"};

// The usage line includes the command, which CLI11 does not parse.
class RunHelp : public HelpFormatter {
protected:
    std::string usage(const CLI::App&, const std::string&) const override {
        return "cudafault run [OPTIONS] -- COMMAND [ARGUMENT]...";
    }
};

struct RunOptions {
    std::string gpus, name;
    std::vector<std::string> plans;
    bool must_fire = false, quiet = false;
};

void print_note(const std::string& text) { fmt::print(stderr, "cudafault: {}\n", text); }

local::RunOptions run_options(const RunOptions& options, const CLI::App& verb,
                              const std::vector<std::string>& command) {
    if (command.empty()) {
        throw local::Error(local::kUsage, "missing command: expected `cudafault run [OPTIONS] -- COMMAND`");
    }
    local::RunOptions out;
    if (verb.count("--gpus") > 0) out.gpus = options.gpus;
    out.name = options.name;
    out.plan = local::join_specs(options.plans);
    out.command = command;
    out.note = [quiet = options.quiet](const std::string& text) {
        if (!quiet) print_note(text);
    };
    return out;
}

local::RunResult run_or_125(const local::RunOptions& options) {
    try {
        return local::run(options);
    } catch (const local::Error& error) {
        if (error.exit_code != local::kEnvironment) throw;
        throw local::Error(local::kOwnFailure, error.what());  // 3 could also be the command's exit code
    }
}

void run(const RunOptions& options, const CLI::App& verb, const std::vector<std::string>& command) {
    const local::RunResult result = run_or_125(run_options(options, verb, command));
    if (!result.fired && (result.was_armed || options.must_fire)) {
        const std::string line = fmt::format("no fault fired in run {}: {}", result.name,
                                             result.was_armed ? result.reason : "no plan was armed");
        if (options.must_fire) throw local::Error(local::kOwnFailure, line);
        if (!options.quiet) print_note(line);
    }
    local::end_like(result.end);
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
    const bool has_separator = std::string_view(argv[end]) == "--";
    std::vector<std::string> command(argv + end + has_separator, argv + argc);
    argc = end;
    return command;
}

void add_run(CLI::App& app, const std::vector<std::string>& command) {
    const auto options = std::make_shared<RunOptions>();
    CLI::App* verb = app.add_subcommand("run", "Run a command with GPU fault injection available");
    verb->formatter(std::make_shared<RunHelp>());
    verb->add_option("--gpus", options->gpus,
                     "The GPUs: real, sim, sim:N, sim:MODEL:N or a list such as sim:H100:4,L4:2")
        ->type_name("GPUS");
    verb->add_option("--name", options->name, "Name of the run, for other commands; by default run-PID")
        ->type_name("NAME");
    verb->add_option("--plan", options->plans, "Plan to arm from the start; repeatable")
        ->type_name("PLAN")
        ->allow_extra_args(false);
    verb->add_flag("--must-fire", options->must_fire, "Exit with 125 if no fault fired");
    verb->add_flag("--quiet", options->quiet, "Do not print notes about the run");
    verb->footer(kRunExamples);
    verb->callback([verb, options, command] { run(*options, *verb, command); });
}

}  // namespace cudafault::cli
