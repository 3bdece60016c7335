// SPDX-License-Identifier: Apache-2.0
#include "local/arm.hpp"

#include <fmt/format.h>

#include <memory>

#include "cli/output.hpp"
#include "cli/verbs.hpp"

namespace cudafault::cli {

namespace {

constexpr const char* kArmExamples = R"(Examples:
  cudafault arm trial 'xid=79 gpu=0'
  cudafault arm trial 'error=CUDA_ERROR_LAUNCH_FAILED calls=cuLaunchKernel after=100; effect=delay:200ms calls=@copy'
  cudafault arm trial 'xid=94 gpu=1 for=30s'

The plan replaces the previous plan of the run. It takes effect at the next CUDA call of every process of the run.
`cudafault check` explains a plan; docs/plans.md lists all keys.)";

struct ArmOptions {
    std::string name, spec;
    bool json = false;
};

void arm(const ArmOptions& options) {
    const local::Armed armed = local::arm(options.name, options.spec);
    print_notes(armed.notes);
    if (options.json) {
        print_json({{"name", options.name},
                    {"spec", options.spec},
                    {"resolved", armed.resolved},
                    {"revision", armed.revision}});
    } else {
        fmt::print("armed in {}: {}\n", options.name, options.spec);
    }
}

}  // namespace

void add_arm(CLI::App& app) {
    const auto options = std::make_shared<ArmOptions>();
    CLI::App* verb = app.add_subcommand("arm", "Arm a plan in a live run, so that GPU calls of the run fail");
    verb->add_option("name", options->name, "Name of the run")->required();
    verb->add_option("spec", options->spec, "The plan, such as 'xid=79 gpu=0'")->required();
    verb->add_flag("--json", options->json, "Print JSON");
    verb->footer(kArmExamples);
    verb->callback([options] { arm(*options); });
}

}  // namespace cudafault::cli
