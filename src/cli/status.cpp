// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

#include "cli/output.hpp"
#include "cli/run_json.hpp"
#include "cli/verbs.hpp"
#include "os/plural.hpp"

namespace cudafault::cli {

namespace {

using nlohmann::json;

constexpr const char* kStatusExamples = R"(Examples:
  cudafault status               all runs
  cudafault status trial         the plan, the fired faults and the processes, even after the run has ended
  cudafault status trial --json)";

constexpr size_t kShownFunctions = 5, kShownProcesses = 20, kShownPlans = 3;

struct StatusOptions {
    std::string name;
    bool json = false;
};

std::string state_text(const json& run) {
    const std::string state = run.at("state");
    return state == "running" ? paint(Paint::good, state) : state == "ended" ? state : paint(Paint::bad, state);
}

// All runs

void print_runs(const json& runs) {
    if (runs.empty()) {
        fmt::print("no runs: start one with `cudafault run --name NAME -- COMMAND`\n");
        return;
    }
    Table table({"run", "state", "pid", "started", "armed", "command"});
    for (const json& run : runs) {
        const std::string name = run.at("name");
        if (!run.contains("pid")) {
            table.add({name, run.at("state"), "-", "-", "-", "-"});
            continue;
        }
        table.add({name, run.at("state"), run.at("pid").dump(), local_time(run.at("started_at")),
                   text_or(run.at("armed"), "-"), command_text(run.at("command"))});
    }
    fmt::print("{}", table.text());
}

// One run

void print_fact(const char* name, const std::string& text) { fmt::print("{:<10} {}\n", name, text); }

std::string ending(const json& run) {
    if (!run.contains("ended_at")) return "";
    const std::string result = run.at("signal").is_null() ? fmt::format("exit code {}", run.at("exit_code").get<int>())
                                                          : fmt::format("signal {}", run.at("signal").get<int>());
    return fmt::format(", ended {} with {}", local_time(run.at("ended_at")), result);
}

std::string gpus_text(const json& gpus) {
    if (!gpus.at("known").get<bool>()) return "unknown: NVML is not available";
    if (gpus.at("list").empty()) return "none";
    std::vector<std::string> texts;
    for (const json& gpu : gpus.at("list")) {
        texts.push_back(fmt::format("{}: {} {} {}", gpu.at("index").get<int>(), gpu.at("name").get<std::string>(),
                                    gpu.at("pci").get<std::string>(), gpu.at("uuid").get<std::string>()));
    }
    return fmt::format("{}{}", gpus.at("simulated").get<bool>() ? "simulated\n           " : "",
                       fmt::join(texts, "\n           "));
}

std::string top_functions(const json& fault) {
    std::vector<std::string> texts;
    const json& functions = fault.at("functions");
    for (size_t i = 0; i < std::min(functions.size(), kShownFunctions); ++i) {
        texts.push_back(fmt::format("{} ({})", functions[i].at("function").get<std::string>(),
                                    functions[i].at("fired").get<uint64_t>()));
    }
    if (functions.size() > kShownFunctions) texts.push_back(fmt::format("{} more", functions.size() - kShownFunctions));
    return fmt::format("{}", fmt::join(texts, ", "));
}

std::string never_hit_text(const json& fault) {
    const uint64_t others = fault.value("on_other_gpu", uint64_t{0});
    return "armed but never hit: " + (others > 0 ? plural(others, "call") + " on other GPUs" : "no call has matched");
}

std::string fault_result_text(const json& fault) {
    const std::string outcome = fault.at("outcome");
    const std::string text = outcome == "never hit" ? never_hit_text(fault)
                             : outcome == "fired"   ? "in " + top_functions(fault)
                                                    : "no matching call was selected yet";
    return fault.at("expired").get<bool>() ? text + "; for= or until= has ended" : text;
}

void print_faults(const json& faults) {
    Table table({"fault", "matched", "fired", "outcome", "plan"});
    for (const json& fault : faults) {
        table.add({fault.at("index").dump(), fault.at("matched").dump(), fault.at("fired").dump(),
                   fault_result_text(fault), fault.at("spec").get<std::string>()});
    }
    fmt::print("{}", table.text("  "));
}

void print_plan(const json& plan) {
    const std::string state = plan.at("state");
    if (state == "unknown") return print_fact("plan", "unknown: " + plan.at("why").get<std::string>());
    if (state == "disarmed") return print_fact("plan", "nothing is armed");
    const std::string since = local_time(plan.at("armed_at"));
    print_fact("plan",
               fmt::format("{}  (revision {}, armed {})", paint(Paint::bold, plan.at("spec").get<std::string>()),
                           plan.at("revision").get<uint64_t>(), since));
    if (plan.at("resolved") != plan.at("spec")) print_fact("", "resolved: " + plan.at("resolved").get<std::string>());
    if (plan.at("stalled").get<bool>()) {
        print_fact("", "stalled: `cudafault run` is stopped or its clock differs, so no fault fires");
    }
    print_faults(plan.at("faults"));
}

// Prints the latest plan first.
void print_history(const json& history) {
    const size_t shown = std::min(history.size(), kShownPlans);
    for (size_t i = 0; i < shown; ++i) {
        const json& plan = history[history.size() - 1 - i];
        print_fact("previous", fmt::format("{}  (armed {} to {})", plan.at("spec").get<std::string>(),
                                           local_time(plan.at("armed_at")), local_time(plan.at("replaced_at"))));
        print_faults(plan.at("faults"));
    }
    if (history.size() > shown) print_fact("", plural(history.size() - shown, "earlier plan") + ": see --json");
}

void print_dropped(const json& dropped) {
    const auto count = [&](const char* key) { return dropped.at(key).get<uint64_t>(); };
    if (count("plans") == 0) return;
    print_fact("", fmt::format("{} in total: {} matched, {} fired", plural(count("plans"), "earlier plan"),
                               count("matched"), count("fired")));
}

std::string acknowledged_text(const json& process, const json& plan) {
    if (plan.at("state") != "armed") return "-";
    const uint64_t seen = process.at("acknowledged"), current = plan.at("revision");
    return seen == current ? "yes" : "not yet";
}

// Returns the names that process= is compared with. The report of an older version does not contain them.
std::string program_text(const json& process) {
    const std::string program = process.value("program", "-"), script = process.value("script", "");
    return script.empty() ? program : fmt::format("{} (script {})", program, script);
}

void print_processes(const json& run) {
    const json& processes = run.at("processes");
    if (processes.is_null()) return print_fact("processes", "unknown");
    if (processes.empty())
        return print_fact("processes", "none: no process has made a CUDA call that the fault library intercepted");
    Table table({"pid", "state", "rank", "acknowledged", "fired", "program"});
    for (size_t i = 0; i < std::min(processes.size(), kShownProcesses); ++i) {
        const json& process = processes[i];
        table.add({process.at("pid").dump(), process.at("alive").get<bool>() ? "running" : "ended",
                   text_or(process.at("rank"), "-"), acknowledged_text(process, run.at("plan")),
                   process.at("fired").dump(), program_text(process)});
    }
    print_fact("processes", std::to_string(processes.size()));
    fmt::print("{}", table.text("  "));
    if (processes.size() > kShownProcesses) fmt::print("  and {} more\n", processes.size() - kShownProcesses);
    const uint64_t dropped = run.at("processes_dropped");
    if (dropped > 0)
        fmt::print("  and {} that could not be listed, but whose calls are counted\n", plural(dropped, "process"));
}

void print_events(const json& run) {
    const json& events = run.at("events");
    if (events.is_null()) return print_fact("events", "unknown");
    const auto count = [&](const char* key) { return events.at(key).get<uint64_t>(); };
    std::string text = fmt::format("{} since the start", count("total"));
    if (count("overwritten") > 0) text += fmt::format(", the first {} overwritten", count("overwritten"));
    if (count("lost") > 0) text += fmt::format(", {} lost", count("lost"));
    print_fact("events",
               fmt::format("{}; list them with `cudafault events {}`", text, run.at("name").get<std::string>()));
}

void print_run(const json& run) {
    print_fact("run",
               fmt::format("{}, {}, pid {}, started {}{}", paint(Paint::bold, run.at("name").get<std::string>()),
                           state_text(run), run.at("pid").get<int>(), local_time(run.at("started_at")), ending(run)));
    print_fact("command", command_text(run.at("command")));
    print_fact("GPUs", gpus_text(run.at("gpus")));
    print_plan(run.at("plan"));
    print_history(run.at("history"));
    print_dropped(run.at("history_dropped"));
    print_processes(run);
    print_events(run);
}

void status(const StatusOptions& options) {
    const bool all = options.name.empty();
    const json document = all ? list_json() : status_json(options.name);
    if (options.json) return print_json(document);
    all ? print_runs(document.at("runs")) : print_run(document);
}

}  // namespace

void add_status(CLI::App& app) {
    const auto options = std::make_shared<StatusOptions>();
    CLI::App* verb =
        app.add_subcommand("status", "Show all runs, or the plan, the fired faults and the processes of one run");
    verb->add_option("name", options->name, "Name of the run; by default all runs are listed");
    verb->add_flag("--json", options->json, "Print JSON");
    verb->footer(kStatusExamples);
    verb->callback([options] { status(*options); });
}

}  // namespace cudafault::cli
