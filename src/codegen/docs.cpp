// SPDX-License-Identifier: Apache-2.0
// Writes docs/functions.md and docs/xids.md.
#include <algorithm>
#include <array>
#include <iterator>
#include <set>

#include "catalog/page.hpp"
#include "codegen/api_table.hpp"
#include "codegen/writers.hpp"
#include "codegen/xid_catalog.hpp"

namespace cudafault::codegen {

namespace {

struct Tally {
    std::array<size_t, std::size(kApis)> by_api{};
    size_t simple_fails = 0;
    std::set<std::string> examples;  // the first function of each API
};

size_t api_index(const std::string& api) {
    return static_cast<size_t>(std::find(std::begin(kApis), std::end(kApis), api) - std::begin(kApis));
}

// Returns one row for each function name. A name with several sonames has one row.
std::vector<ApiRow> distinct_functions(const std::filesystem::path& data) {
    std::vector<ApiRow> rows = read_api_table(data);
    const auto same = [](const ApiRow& a, const ApiRow& b) { return a.name == b.name; };
    rows.erase(std::unique(rows.begin(), rows.end(), same), rows.end());
    return rows;
}

void count(Tally& tally, const ApiRow& row) {
    size_t& seen = tally.by_api[api_index(row.api)];
    if (seen++ == 0) tally.examples.insert(row.name);
    tally.simple_fails += row.simple_fails;
}

void write_tally(const std::string& title, const Tally& tally, std::ostream& out) {
    out << "| " << title;
    for (size_t number : tally.by_api) out << " | " << number;
    out << " | " << tally.simple_fails << " | ";
    const char* separator = "";
    for (const std::string& name : tally.examples) {
        out << separator << '`' << name << '`';
        separator = ", ";
    }
    out << " |\n";
}

}  // namespace

void write_functions_doc(const std::filesystem::path& data, std::ostream& out) {
    const std::vector<ApiRow> rows = distinct_functions(data);
    out << "<!-- Generated from data/*.tsv by cudafault-codegen; do not edit. -->\n"
           "# Intercepted functions\n\n"
           "`calls=` accepts names, globs and the classes below; `cudafault functions [GLOB]` lists every function.\n"
           "The column *default* contains the number of functions that fail under a plan without `calls=`.\n\n"
           "| class | driver | runtime | NVML | NCCL | default | examples |\n|---|---|---|---|---|---|---|\n";
    Tally total;
    for (std::string_view name : kClasses) {
        Tally tally;
        for (const ApiRow& row : rows) {
            if (row.call_class != name) continue;
            count(tally, row);
            count(total, row);
        }
        write_tally("`@" + std::string(name) + "`", tally, out);
    }
    total.examples.clear();
    write_tally("all", total, out);
}

void write_xids_doc(const std::filesystem::path& data, std::ostream& out) {
    const std::vector<catalog::Entry> entries = read_xid_catalog(data);
    out << "<!-- Generated from data/xids.yaml by cudafault-codegen; do not edit. -->\n" << catalog::overview(entries);
    for (const catalog::Entry& entry : entries) {
        if (entry.depth != "reserved") out << "\n" << catalog::page(entry);
    }
}

}  // namespace cudafault::codegen
