// SPDX-License-Identifier: Apache-2.0
#include "fault/xids.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "local/error.hpp"

namespace cudafault::cli {

namespace {

using nlohmann::json;

constexpr const char* kXidsExamples = R"(Examples:
  cudafault xids          all XIDs that xid= can name
  cudafault xids 79       the effects of XID 79 on a real GPU, and the error code that cudafault injects)";

struct XidsOptions {
    uint32_t number = 0;
    bool json = false;
};

// The description of an XID. The tables in src/fault do not contain it, because the preload library does not need it.
struct Details {
    uint32_t number;
    const char *mnemonic, *use_case, *scope, *recovery, *next_recovery, *remark;
};
constexpr Details kDetails[] = {
#define CUDAFAULT_XID_DETAILS(...) {__VA_ARGS__},
#include "xid_details.inc"
#undef CUDAFAULT_XID_DETAILS
};

const Details& details_of(const Xid& xid) {
    return *std::find_if(std::begin(kDetails), std::end(kDetails),
                         [&](const Details& d) { return d.number == xid.number; });
}

void print_table() {
    Table table({"xid", "what happened", "every failing call returns"});
    for (int i = 0; i < xid_count(); ++i) {
        const Xid& xid = xids()[i];
        table.add({std::to_string(xid.number), xid.title, fmt::format("{} ({})", xid.simple_name, xid.simple_code)});
    }
    fmt::print("{}", table.text());
}

void print_details(const Xid& xid) {
    const Details& details = details_of(xid);
    fmt::print("XID {}: {} ({})\n", xid.number, xid.title, details.mnemonic);
    const std::pair<const char*, std::string> lines[] = {
        {"drill", details.use_case},
        {"returns", fmt::format("{} ({}) from every failing call", xid.simple_name, xid.simple_code)},
        {"real GPU", details.remark},
        {"concerns", details.scope},
        {"recovery", fmt::format("{}, then {} (NVIDIA's names)", details.recovery, details.next_recovery)},
        {"plan", fmt::format("xid={} gpu=0", xid.number)},
    };
    for (const auto& [name, text] : lines) fmt::print("  {:<9} {}\n", name, text);
}

json xid_json(const Xid& xid) {
    const Details& details = details_of(xid);
    return {{"xid", xid.number},
            {"mnemonic", details.mnemonic},
            {"title", xid.title},
            {"use_case", details.use_case},
            {"simple", {{"code", xid.simple_code}, {"error", xid.simple_name}}},
            {"really", details.remark},
            {"scope", details.scope},
            {"recovery", {{"immediate", details.recovery}, {"next", details.next_recovery}}}};
}

json xids_json() {
    json list = json::array();
    for (int i = 0; i < xid_count(); ++i) list.push_back(xid_json(xids()[i]));
    return {{"xids", std::move(list)}};
}

const Xid& find(uint32_t number) {
    if (const Xid* xid = find_xid(number)) return *xid;
    char text[256];
    Message message(text);
    describe_unknown_xid(number, message);
    throw local::Error(local::kUsage, text);
}

void show(const XidsOptions& options, bool has_number) {
    if (has_number) {
        const Xid& xid = find(options.number);
        options.json ? print_json(xid_json(xid)) : print_details(xid);
    } else {
        options.json ? print_json(xids_json()) : print_table();
    }
}

}  // namespace

void add_xids(CLI::App& app) {
    const auto options = std::make_shared<XidsOptions>();
    CLI::App* verb = app.add_subcommand("xids", "List the XIDs that can be injected, or describe one XID");
    verb->add_option("number", options->number, "The XID");
    verb->add_flag("--json", options->json, "Print JSON");
    verb->footer(kXidsExamples);
    verb->callback([verb, options] { show(*options, verb->count("number") > 0); });
}

}  // namespace cudafault::cli
