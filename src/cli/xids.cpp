// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "catalog/catalog.hpp"
#include "catalog/entry_json.hpp"  // IWYU pragma: keep (conversions by the JSON library)
#include "catalog/page.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "cli/xid_options.hpp"

namespace cudafault::cli {

namespace {

using nlohmann::json;

constexpr const char* kXidsExamples = R"(Examples:
  cudafault xids          all XIDs
  cudafault xids 79       what XID 79 does on a real GPU, and to whom)";

struct XidsOptions {
    std::string xid;
    bool json = false;
};

std::string code_text(const catalog::Code& code) {
    return code.number ? fmt::format("{} ({})", code.error, code.number) : "-";
}

void print_table() {
    Table table({"xid", "what happened", "depth", "model=simple returns"});
    for (const catalog::Entry& entry : catalog::entries()) {
        if (entry.depth == "reserved") continue;
        table.add({std::to_string(entry.number), entry.title, entry.depth, code_text(entry.simple)});
    }
    fmt::print("{}", table.text());
}

// The keys before `entry` are kept for programs that read them.
json xid_json(const catalog::Entry& entry) {
    return {{"xid", entry.number},
            {"mnemonic", entry.mnemonic},
            {"title", entry.title},
            {"use_case", entry.use_case},
            {"depth", entry.depth},
            {"simple", {{"code", entry.simple.number}, {"error", entry.simple.error}}},
            {"really", entry.simple_remark},
            {"scope", entry.scope.text},
            {"recovery", {{"immediate", entry.recovery.value}, {"next", entry.next_recovery}}},
            {"entry", entry}};
}

json xids_json() {
    json list = json::array();
    for (const catalog::Entry& entry : catalog::entries()) {
        if (entry.depth != "reserved") list.push_back(xid_json(entry));
    }
    return {{"xids", std::move(list)}};
}

void show(const XidsOptions& options, bool has_number) {
    if (has_number) {
        const catalog::Entry& entry = entry_of(options.xid);
        options.json ? print_json(xid_json(entry)) : fmt::print("{}", catalog::page(entry));
    } else {
        options.json ? print_json(xids_json()) : print_table();
    }
}

}  // namespace

void add_xids(CLI::App& app) {
    const auto options = std::make_shared<XidsOptions>();
    CLI::App* verb = app.add_subcommand("xids", "List the XIDs, or describe one");
    verb->add_option("xid", options->xid, "The XID");
    verb->add_flag("--json", options->json, "Print JSON");
    verb->footer(kXidsExamples);
    verb->callback([verb, options] { show(*options, verb->count("xid") > 0); });
}

}  // namespace cudafault::cli
