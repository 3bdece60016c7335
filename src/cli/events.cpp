// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "cli/output.hpp"
#include "cli/run_json.hpp"
#include "cli/verbs.hpp"
#include "os/plural.hpp"

namespace cudafault::cli {

namespace {

using nlohmann::json;

constexpr const char* kEventsExamples = R"(Examples:
  cudafault events trial
  cudafault events trial --follow            print each event when it occurs, until the run ends
  cudafault events trial --json
  cudafault events trial --follow --json     one JSON document per line

A line shows: time, process, function, GPU in the process's own numbering, effect, fault of the plan, number of the call
among those that matched in this process, and the rank, if any. The last 4,096 events are kept.)";

struct EventsOptions {
    std::string name;
    bool follow = false, json = false;
};

std::string result_text(const json& event) {
    std::string effect = event.at("effect");
    const int code = event.at("code");
    if (effect != "error") return effect;
    return event.at("error").is_null() ? fmt::format("error {}", code)
                                       : fmt::format("{} ({})", event.at("error").get<std::string>(), code);
}

std::string line(const json& event) {
    const std::string rank = event.at("rank").is_null() ? "" : fmt::format("  rank {}", event.at("rank").get<int>());
    return fmt::format("{}  pid {:<8} {:<32} GPU {:<2}  {:<40} fault {}, call {}{}", local_time(event.at("time")),
                       event.at("pid").get<int>(), event.at("function").get<std::string>(),
                       text_or(event.at("gpu"), "-"), result_text(event), event.at("fault").get<int>(),
                       event.at("call").get<uint64_t>(), rank);
}

void show(const EventsOptions& options, const json& event) {
    if (options.json) return print_json_line(event);
    fmt::print("{}\n", line(event));
    flush_output();
}

// Prints to standard error, because standard output contains only events.
void warn_of_missing(const json& document) {
    const std::string name = document.at("name");
    if (document.at("total").is_null()) {
        return fmt::print(stderr, "cudafault: the events of run {} are unknown: its `cudafault run` was killed\n",
                          name);
    }
    const auto missing = [&](const char* key, const char* reason) {
        const uint64_t count = document.at(key);
        if (count > 0) fmt::print(stderr, "cudafault: {} of run {} {}\n", plural(count, "event"), name, reason);
    };
    missing("overwritten", "were overwritten by later events");
    missing("lost", "could not be recorded or read");
}

void events(const EventsOptions& options) {
    const auto show_one = [&](const json& event) { show(options, event); };
    if (options.follow) return warn_of_missing(follow_events(options.name, show_one));
    const json document = events_json(options.name);
    if (options.json) return print_json(document);
    for (const json& event : document.at("events")) fmt::print("{}\n", line(event));
    warn_of_missing(document);
}

}  // namespace

void add_events(CLI::App& app) {
    const auto options = std::make_shared<EventsOptions>();
    CLI::App* verb = app.add_subcommand("events", "List the calls in which a fault of a run fired");
    verb->add_option("name", options->name, "Name of the run")->required();
    verb->add_flag("--follow", options->follow, "Print new events until the run ends");
    verb->add_flag("--json", options->json, "Print JSON");
    verb->footer(kEventsExamples);
    verb->callback([options] { events(*options); });
}

}  // namespace cudafault::cli
