// SPDX-License-Identifier: Apache-2.0
#include "cli/log_line_options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "catalog/catalog.hpp"
#include "cli/xid_options.hpp"
#include "fault/values.hpp"
#include "local/spec.hpp"
#include "os/one_line.hpp"

namespace cudafault::cli {

namespace {

constexpr int kMaxPid = 4194304;        // the largest value of kernel.pid_max
constexpr unsigned kMaxTwoDigits = 99;  // instances and links are printed with two digits

// Refuses the options of this list that the user gave.
void refuse_given(const LogLineOptions& options, std::initializer_list<const char*> names, const char* reason) {
    for (const char* name : names) {
        const CLI::Option* option = options.verb->get_option_no_throw(name);
        if (option && option->count() > 0) refuse_option(fmt::format("invalid {}: {}", name, reason));
    }
}

std::optional<unsigned> parse_instance(const std::string& text) {
    uint64_t number = 0;
    if (!parse_number(local::text_of(text), number) || number > kMaxTwoDigits) return {};
    return static_cast<unsigned>(number);
}

// GI or GI:CI.
void set_mig_device(kernel_log::Gpu& gpu, const std::string& text) {
    const size_t colon = text.find(':');
    gpu.gpu_instance = parse_instance(text.substr(0, colon));
    if (colon != std::string::npos) gpu.compute_instance = parse_instance(text.substr(colon + 1));
    if (!gpu.gpu_instance || (colon != std::string::npos && !gpu.compute_instance))
        refuse_option(fmt::format(
            "invalid --mig \"{}\": expected a GPU instance such as 5, or with a compute instance 5:0", text));
}

std::optional<kernel_log::Owner> owner_of(const LogLineOptions& options) {
    if (options.process.empty()) return {};
    return kernel_log::Owner{options.pid, options.process};
}

// CLI11 calls this check. Returns the error, or an empty text.
std::string check_process_name(const std::string& name) {
    const bool is_valid = !name.empty() && std::none_of(name.begin(), name.end(), [](unsigned char c) {
        return c < ' ' || c == 127 || c == ',';
    });
    return is_valid ? "" : fmt::format("invalid --process \"{}\": expected a name without commas", one_line(name));
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
    refuse_given(options, {"--link", "--nvswitch"}, "only an SXid has a link and a switch");
    check_driver_branch(options.driver);
    kernel_log::Gpu gpu = find_gpu(options.gpu);
    if (options.verb->count("--mig") > 0) set_mig_device(gpu, options.mig);
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

std::vector<kernel_log::Line> switch_error_lines(const LogLineOptions& options) {
    refuse_given(options, {"--driver", "--mig", "--pid", "--process", "--follow-ups", "--gpus", "--not-first"},
                 "an SXid does not depend on it");
    uint64_t number = 0;
    const std::string digits = options.xid.substr(options.xid.find(':') + 1);
    const kernel_log::SwitchError* error = parse_number(local::text_of(digits), number) && number <= UINT16_MAX
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
    verb.add_option("--gpu", options.gpu, gpu_help)->type_name("GPU")->required();
    options.verb = &verb;
    verb.add_option("--driver", options.driver,
                    fmt::format("Driver branch: {}", fmt::join(kernel_log::driver_branches(), ", ")))
        ->type_name("BRANCH")
        ->capture_default_str();
    verb.add_option("--mig", options.mig, "MIG device: GPU instance, or GPU instance:compute instance")
        ->type_name("MIG");
    CLI::Option* pid = verb.add_option("--pid", options.pid, "Process ID that the line names, with --process")
                           ->type_name("PID")
                           ->check(CLI::Range(1, kMaxPid));
    CLI::Option* process = verb.add_option("--process", options.process, "Process name that the line names, with --pid")
                               ->type_name("NAME")
                               ->check(check_process_name)
                               ->needs(pid);
    pid->needs(process);
    verb.add_flag("--follow-ups", options.follow_ups, "Also write the XIDs that follow, after their delays");
    verb.add_option("--link", options.link, "SXid: the NVLink")->type_name("N")->check(CLI::Range(0U, kMaxTwoDigits));
    verb.add_option("--nvswitch", options.nvswitch, "SXid: the number of the NVSwitch")
        ->type_name("N")
        ->check(CLI::Range(0U, kMaxTwoDigits));
    verb.add_flag("--journald", options.journald, "Also write each line in the form that journald stores unchanged");
}

SelectedLines select_lines(const LogLineOptions& options,
                           const std::function<kernel_log::Gpu(const std::string& gpu)>& find_gpu) {
    if (options.xid.starts_with("sxid:")) return {{}, switch_error_lines(options), {}};
    return select_xid_lines(options, find_gpu);
}

std::vector<kernel_log::Line> written_lines(const kernel_log::Line& line, bool journald) {
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
