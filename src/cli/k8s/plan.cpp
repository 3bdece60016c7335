// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "cli/k8s/cluster.hpp"
#include "cli/k8s/injection_options.hpp"
#include "cli/output.hpp"
#include "os/plural.hpp"

namespace cudafault::cli {

namespace {

using nlohmann::json;

constexpr const char* kPlanExamples = R"(Examples:
  cudafault k8s plan deployment/web -n prod
  cudafault k8s plan statefulset/llm -n prod --delivery source --json

The API server checks the change and, if you may create pods, a pod of the changed template. Nothing is changed.)";

json edits_json(const kube::InjectionPlan& plan) {
    json edits = json::array();
    for (const kube::Edit& edit : plan.injected.edits) {
        edits.push_back(
            {{"at", edit.at.text()}, {"was", edit.old_value ? *edit.old_value : json()}, {"now", edit.new_value}});
    }
    return edits;
}

void print_lines(const char* sign, Paint color, const json& value) {
    std::istringstream lines(value.is_string() ? value.get<std::string>() : value.dump(2));
    for (std::string line; std::getline(lines, line);)
        fmt::print("{}\n", paint(color, fmt::format("  {} {}", sign, line)));
}

const char* replacement_text(kube::Replacement replacement) {
    switch (replacement) {
        case kube::Replacement::kRolling: return "replaced by a rollout";
        case kube::Replacement::kOrderedReady: return "replaced in order, each after the previous pod is Ready";
        case kube::Replacement::kOnDelete: return "replaced when they are deleted, which --delete-pods allows";
        case kube::Replacement::kNextRun: return "running pods are not replaced; the next run has the library";
    }
    return "";
}

// Prints the target, the action and the effect on the pods, before the change itself.
void print_summary(const kube::InjectionPlan& plan) {
    if (plan.chosen.empty()) {
        fmt::print("{}: nothing would change\n", paint(Paint::bold, plan.workload.text()));
        return;
    }
    fmt::print(
        "{}: {}\n", paint(Paint::bold, plan.workload.text()),
        plan.unchanged ? "already injected, nothing would change" : plural(plan.injected.edits.size(), "change"));
    fmt::print("containers: {} (delivery {})\n", fmt::join(kube::container_names(plan.chosen), ", "),
               kube::text_of(plan.injection.delivery));
    fmt::print("pods: {}\n", plan.unchanged ? "not replaced" : replacement_text(plan.workload.replacement));
}

void print_plan(const kube::InjectionPlan& plan) {
    print_summary(plan);
    for (const std::string& note : plan.notes) fmt::print("note: {}\n", note);
    if (plan.unchanged) return;
    for (const kube::Edit& edit : plan.injected.edits) {
        fmt::print("{}\n", edit.at.text());
        if (edit.old_value) print_lines("-", Paint::bad, *edit.old_value);
        print_lines("+", Paint::good, edit.new_value);
    }
}

json plan_json(const kube::InjectionPlan& plan) {
    return {{"workload", workload_json(plan.workload)},
            {"unchanged", plan.unchanged},
            {"containers", kube::container_names(plan.chosen)},
            {"edits", edits_json(plan)},
            {"notes", plan.notes}};
}

}  // namespace

void show_plan(const InjectionCommand& command) {
    in_cluster(command.cluster, [&](ClusterAccess& access) {
        json list = json::array();
        for (const kube::InjectOptions& options : inject_options(command, access)) {
            const auto plan = kube::plan_injection(access.client, access.discovery, options);
            list.push_back(plan_json(plan));
            if (!command.cluster.is_document()) print_plan(plan);
        }
        if (command.cluster.is_document()) print_results(command.cluster, list);
    });
}

void add_k8s_plan(CLI::App& k8s) {
    const auto command = std::make_shared<InjectionCommand>();
    CLI::App* verb = k8s.add_subcommand("plan", "Show what `inject` would change, checked by the API server");
    add_injection_options(*verb, *command);
    verb->footer(kPlanExamples);
    verb->callback([command] { show_plan(*command); });
}

}  // namespace cudafault::cli
