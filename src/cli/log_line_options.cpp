// SPDX-License-Identifier: Apache-2.0
#include "cli/log_line_options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>

#include "catalog/catalog.hpp"
#include "cli/xid_options.hpp"
#include "fault/values.hpp"
#include "local/spec.hpp"

namespace cudafault::cli {

namespace {

using kernel_log::Line;

// GI or GI:CI.
void set_mig_device(kernel_log::Gpu& gpu, const std::string& text) {
    const size_t colon = text.find(':');
    uint64_t gpu_instance = 0, compute_instance = 0;
    const bool valid =
        parse_number(local::text_of(text.substr(0, colon)), gpu_instance) &&
        (colon == std::string::npos || parse_number(local::text_of(text.substr(colon + 1)), compute_instance));
    if (!valid)
        refuse_option(fmt::format(
            "invalid --mig \"{}\": expected a GPU instance such as 5, or with a compute instance 5:0", text));
    gpu.gpu_instance = static_cast<unsigned>(gpu_instance);
    if (colon != std::string::npos) gpu.compute_instance = static_cast<unsigned>(compute_instance);
}

std::optional<kernel_log::Owner> owner_of(const LogLineOptions& options) {
    if (options.pid == 0 && options.process.empty()) return {};
    return kernel_log::Owner{options.pid, options.process.empty() ? "python3" : options.process};
}

std::chrono::nanoseconds delay_of(const catalog::FollowUp& follow_up) {
    uint64_t ns = 0;
    parse_duration(local::text_of(follow_up.delay), ns);
    return std::chrono::nanoseconds(ns);
}

std::vector<FollowUpLines> follow_up_lines(const catalog::Entry& entry, const kernel_log::Gpu& gpu,
                                           const LogLineOptions& options) {
    std::vector<FollowUpLines> follow_ups;
    for (const catalog::FollowUp& next : entry.follow_ups) {
        const auto lines =
            kernel_log::xid_lines(*catalog::find_entry(next.xid), options.driver, gpu, owner_of(options), &entry);
        if (!lines.empty()) follow_ups.push_back({delay_of(next), lines});  // empty: this branch does not print it
    }
    return follow_ups;
}

SelectedLines select_xid_lines(const LogLineOptions& options,
                               const std::function<kernel_log::Gpu(const std::string&)>& find_gpu) {
    const catalog::Entry& entry = usable_entry(options.xid);
    check_driver_branch(options.driver);
    kernel_log::Gpu gpu = find_gpu(options.gpu);
    if (!options.mig.empty()) set_mig_device(gpu, options.mig);
    SelectedLines selected;
    selected.first = kernel_log::first_lines(gpu);
    selected.xid = kernel_log::xid_lines(entry, options.driver, gpu, owner_of(options), nullptr);
    if (selected.xid.empty()) {
        refuse_option(fmt::format("driver {} does not print XID {}: drivers print it from {} on", options.driver,
                                  entry.number, kernel_log::first_branch(entry)));
    }
    if (options.follow_ups) selected.follow_ups = follow_up_lines(entry, gpu, options);
    return selected;
}

std::vector<Line> switch_error_lines(const LogLineOptions& options) {
    uint64_t number = 0;
    const std::string digits = options.xid.substr(options.xid.find(':') + 1);
    const kernel_log::SwitchError* error = parse_number(local::text_of(digits), number)
                                               ? kernel_log::find_switch_error(static_cast<unsigned>(number))
                                               : nullptr;
    if (!error) {
        std::vector<unsigned> known;
        for (const auto& row : kernel_log::switch_errors()) known.push_back(row.number);
        refuse_option(fmt::format("unknown SXid \"{}\": expected one of {}", digits, fmt::join(known, ", ")));
    }
    if (!is_pci_address(options.gpu))
        refuse_option(fmt::format("invalid --gpu \"{}\": expected the PCI address of an NVSwitch such as 0000:c1:00.0",
                                  options.gpu));
    return kernel_log::switch_lines(*error, {options.nvswitch, full_address(options.gpu), options.link});
}

}  // namespace

void add_log_line_options(CLI::App& verb, LogLineOptions& options, const std::string& gpu_help) {
    verb.add_option("xid", options.xid, "The XID, or sxid:NUMBER for an error of an NVSwitch")
        ->option_text("XID")
        ->required();
    verb.add_option("--gpu", options.gpu, gpu_help)->required();
    verb.add_option("--driver", options.driver, "Driver branch: 535, 550, 570, 580, 590, 595 or 615")
        ->capture_default_str();
    verb.add_option("--mig", options.mig, "MIG device: GPU instance, or GPU instance:compute instance");
    verb.add_option("--pid", options.pid, "Process ID that the line names");
    verb.add_option("--process", options.process, "Process name that the line names");
    verb.add_flag("--follow-ups", options.follow_ups, "Also write the XIDs that follow, after their delays");
    verb.add_option("--link", options.link, "SXid: the NVLink");
    verb.add_option("--nvswitch", options.nvswitch, "SXid: the number of the NVSwitch");
    verb.add_flag("--journald", options.journald, "Also write each line in the form that journald stores unchanged");
}

SelectedLines select_lines(const LogLineOptions& options,
                           const std::function<kernel_log::Gpu(const std::string& gpu)>& find_gpu) {
    if (options.xid.starts_with("sxid:")) return {{}, switch_error_lines(options), {}};
    return select_xid_lines(options, find_gpu);
}

std::vector<Line> written_lines(const Line& line, bool journald) {
    if (!journald) return {line};
    // journald takes a first word with a colon as the name of the program, and drops it.
    return {line, {line.level, "kernel: " + line.text}};
}

bool is_pci_address(const std::string& text) {
    GpuSelector selector;
    return parse_gpu(local::text_of(text), selector) && selector.kind == GpuKind::pci;
}

std::string full_address(const std::string& pci_address) {
    GpuSelector selector;
    parse_gpu(local::text_of(pci_address), selector);
    return fmt::format("{:04x}:{:02x}:{:02x}.0", selector.number >> 16, selector.number >> 8 & 0xff,
                       selector.number & 0xff);
}

}  // namespace cudafault::cli
