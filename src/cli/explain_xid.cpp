// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>
#include <string>

#include "catalog/catalog.hpp"
#include "catalog/page.hpp"
#include "catalog/situation.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "cli/xid_options.hpp"
#include "kernel_log/lines.hpp"
#include "local/error.hpp"

namespace cudafault::cli {

namespace {

using nlohmann::json;

constexpr const char* kExplainExamples = R"(Examples:
  cudafault explain 94                                           on an H100 with driver 570 and CUDA 12.8
  cudafault explain 94 --cuda 12.4 --driver 570 --gpu-model H100
  cudafault explain 79 --new-process                             a process that starts after the XID)";

struct ExplainOptions {
    std::string xid, cuda = "12.8", gpu_model = "H100";
    unsigned driver = 570;
    bool new_process = false, json = false;
};

// The GPU and the process that the example lines of the kernel log name.
const kernel_log::Gpu kExampleGpu{"0000:65:00.0", "", "", 0, {}, {}};
const kernel_log::Owner kExampleOwner{4242, "python3"};

std::vector<std::string> log_lines(const catalog::Entry& entry, unsigned branch) {
    std::vector<std::string> texts;
    for (const auto& line : kernel_log::xid_lines(entry, branch, kExampleGpu, kExampleOwner, nullptr))
        texts.push_back(line.text);
    return texts;
}

std::vector<catalog::Code> code_in(const catalog::Observation& seen, const ExplainOptions& options) {
    const catalog::Code* code = catalog::code_at(seen, options.cuda, options.gpu_model);
    return code ? std::vector<catalog::Code>{*code} : std::vector<catalog::Code>{};
}

const catalog::Observation& observation(const catalog::Entry& entry, const ExplainOptions& options) {
    return options.new_process ? entry.new_process : entry.running;
}

// The XIDs that follow on this GPU model, and that this driver prints.
std::vector<catalog::FollowUp> follow_ups(const catalog::Entry& entry, const ExplainOptions& options) {
    std::vector<catalog::FollowUp> found;
    for (const auto& next : entry.follow_ups) {
        const catalog::Entry& following = *catalog::find_entry(next.xid);
        if (catalog::can_occur_on(following, options.gpu_model) && !log_lines(following, options.driver).empty())
            found.push_back(next);
    }
    return found;
}

using Rows = std::vector<std::pair<std::string, std::string>>;

// Without the Markdown of the page.
std::string with_confidence(std::string text, const catalog::Provenance& provenance) {
    std::erase(text, '`');
    return fmt::format("{} ({})", text, provenance.confidence);
}

void add_observation(const catalog::Entry& entry, const ExplainOptions& options, Rows& rows) {
    const catalog::Observation& seen = observation(entry, options);
    if (seen.pattern.empty()) {
        rows.emplace_back("CUDA", fmt::format("unknown: the catalog has this XID only at depth {}", entry.depth));
        return;
    }
    rows.emplace_back("CUDA",
                      with_confidence(catalog::observation_text(seen, code_in(seen, options)), seen.provenance));
    if (!seen.text.empty()) rows.emplace_back("", seen.text);
}

Rows rows_of(const catalog::Entry& entry, const ExplainOptions& options) {
    Rows rows;
    add_observation(entry, options, rows);
    if (!entry.nvml.value.empty())
        rows.emplace_back("NVML",
                          with_confidence("GPU " + catalog::value_text(entry.nvml.value), entry.nvml.provenance));
    if (!entry.action.value.empty())
        rows.emplace_back("action", with_confidence(catalog::value_text(entry.action.value), entry.action.provenance));
    const auto lines = log_lines(entry, options.driver);
    for (const std::string& line : lines) rows.emplace_back(&line == &lines[0] ? "log" : "", line);
    if (lines.empty()) rows.emplace_back("log", fmt::format("no line with driver {}", options.driver));
    for (const auto& next : follow_ups(entry, options))
        rows.emplace_back("then", fmt::format("XID {} after {}", next.xid, next.delay));
    if (!entry.heals_by.value.empty())
        rows.emplace_back("ends when",
                          with_confidence(catalog::value_text(entry.heals_by.value), entry.heals_by.provenance));
    if (entry.recovery.value != "-") rows.emplace_back("NVIDIA", catalog::advice_text(entry));
    return rows;
}

json json_of(const catalog::Entry& entry, const ExplainOptions& options) {
    const catalog::Observation& seen = observation(entry, options);
    const auto codes = code_in(seen, options);
    json following = json::array();
    for (const auto& next : follow_ups(entry, options)) following.push_back({{"xid", next.xid}, {"delay", next.delay}});
    return {{"xid", entry.number},
            {"cuda", options.cuda},
            {"driver", options.driver},
            {"gpu_model", options.gpu_model},
            {"new_process", options.new_process},
            {"pattern", seen.pattern},
            {"code", codes.empty() ? json() : json(codes[0].number)},
            {"error", codes.empty() ? json() : json(codes[0].error)},
            {"nvml", entry.nvml.value},
            {"action", entry.action.value},
            {"log", log_lines(entry, options.driver)},
            {"follow_ups", std::move(following)},
            {"heals_by", entry.heals_by.value}};
}

void explain_xid(const ExplainOptions& options) {
    const catalog::Entry& entry = usable_entry(options.xid);
    check_driver_branch(options.driver);
    try {
        catalog::check_situation(entry, {options.cuda, options.gpu_model});
    } catch (const catalog::UnknownSituation& unknown) {
        throw local::Error(local::kUsage, unknown.what());
    }
    if (options.json) return print_json(json_of(entry, options));
    fmt::print("XID {} ({}) on {}, driver {}, CUDA {}, {} process\n", entry.number, entry.title, options.gpu_model,
               options.driver, options.cuda, options.new_process ? "new" : "running");
    for (const auto& [name, text] : rows_of(entry, options)) fmt::print("  {:<9} {}\n", name, text);
}

}  // namespace

void add_explain(CLI::App& app) {
    const auto options = std::make_shared<ExplainOptions>();
    CLI::App* verb = app.add_subcommand("explain", "Explain what an XID does in one situation");
    verb->add_option("xid", options->xid, "The XID")->required();
    verb->add_option("--cuda", options->cuda, "Version of the CUDA toolkit that the program uses")
        ->type_name("VERSION")
        ->capture_default_str();
    verb->add_option("--driver", options->driver, "Driver branch")->type_name("BRANCH")->capture_default_str();
    verb->add_option("--gpu-model", options->gpu_model, "GPU model")->type_name("MODEL")->capture_default_str();
    verb->add_flag("--new-process", options->new_process,
                   "A process that starts after the XID, instead of a running one");
    verb->add_flag("--json", options->json, "Print JSON");
    verb->footer(kExplainExamples);
    verb->callback([options] { explain_xid(*options); });
}

}  // namespace cudafault::cli
