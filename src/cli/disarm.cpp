// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "local/arm.hpp"

namespace cudafault::cli {

namespace {

constexpr const char* kDisarmExamples = R"(Example:
  cudafault disarm trial

CUDA calls succeed again from the next call of each process on. `cudafault status` and `cudafault events` still show the
faults that fired.)";

struct DisarmOptions {
    std::string name;
    bool json = false;
};

void disarm(const DisarmOptions& options) {
    const bool was_armed = local::disarm(options.name);
    if (options.json) {
        print_json({{"name", options.name}, {"was_armed", was_armed}});
    } else {
        fmt::print("{}: {}\n", options.name, was_armed ? "disarmed" : "nothing was armed");
    }
}

}  // namespace

void add_disarm(CLI::App& app) {
    const auto options = std::make_shared<DisarmOptions>();
    CLI::App* verb = app.add_subcommand("disarm", "Disarm a live run, so that its GPU calls work again");
    verb->add_option("name", options->name, "Name of the run")->required();
    verb->add_flag("--json", options->json, "Print JSON");
    verb->footer(kDisarmExamples);
    verb->callback([options] { disarm(*options); });
}

}  // namespace cudafault::cli
