// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "cli/explain.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "local/machine.hpp"
#include "local/spec.hpp"
#include "local/target_variables.hpp"

namespace cudafault::cli {

namespace {

using nlohmann::json;

constexpr const char* kCheckExamples = R"(Examples:
  cudafault check 'xid=79 gpu=0 after=100'
  cudafault check --gpus sim:2 'xid=79 gpu=2'     refused: GPU 2 does not exist

If the plan is invalid, the command prints the position and the reason, and exits with code 2. With --gpus, the command
also looks up the GPUs of the plan.)";

struct CheckOptions {
    std::string spec, gpus;
    bool json = false;
};

void print_explanation(const Plan& plan, const std::vector<std::string>& specs) {
    if (plan.count == 0) fmt::print("the plan is empty: no call fails\n");
    for (int i = 0; i < plan.count; ++i) {
        fmt::print("{}fault {}: {}\n", i > 0 ? "\n" : "", i, specs.at(static_cast<size_t>(i)));
        for (const auto& [question, answer] : explain(plan.faults[i])) fmt::print("  {:<6} {}\n", question, answer);
    }
    if (plan.count > 1)
        fmt::print("\nEach fault counts every matched call. If several faults fire, only the first takes effect.\n");
}

json plan_json(const Plan& plan, const std::vector<std::string>& specs) {
    json faults = json::array();
    for (int i = 0; i < plan.count; ++i) {
        faults.push_back(fault_json(plan.faults[i]));
        faults.back()["spec"] = specs.at(static_cast<size_t>(i));
    }
    return faults;
}

void check(const CheckOptions& options, bool with_gpus) {
    const local::TargetVariables variables = local::target_variables();
    const auto plan = local::parse_spec(options.spec, variables.ranks);
    json document = {{"valid", true}, {"spec", options.spec}};
    local::Resolved resolved;
    if (with_gpus) {
        resolved = local::resolve_gpus(options.spec, local::find_machine(options.gpus));
        document["resolved"] = resolved.spec;
    }
    print_notes(local::plan_notes(*plan, resolved, variables));
    const std::vector<std::string> specs = local::split_faults(options.spec);
    if (!options.json) return print_explanation(*plan, specs);
    document["faults"] = plan_json(*plan, specs);
    print_json(document);
}

void print_error_json(const local::SpecRefused& refused) {
    print_json({{"valid", false},
                {"spec", refused.spec},
                {"column", refused.column},
                {"length", refused.length},
                {"message", refused.message}});
}

}  // namespace

void add_check(CLI::App& app) {
    const auto options = std::make_shared<CheckOptions>();
    CLI::App* verb = app.add_subcommand("check", "Explain a plan in words, or show where it is invalid");
    verb->add_option("spec", options->spec, "The plan")->required();
    verb->add_option("--gpus", options->gpus, "Look up the GPUs of the plan; values as for `cudafault run`")
        ->type_name("GPUS");
    verb->add_flag("--json", options->json, "Print JSON");
    verb->footer(kCheckExamples);
    verb->callback([verb, options] {
        try {
            check(*options, verb->count("--gpus") > 0);
        } catch (const local::SpecRefused& refused) {
            if (options->json) print_error_json(refused);
            throw;
        }
    });
}

}  // namespace cudafault::cli
