// SPDX-License-Identifier: Apache-2.0
#include "kernel_log/lines.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "catalog/catalog.hpp"
#include "cli/verbs.hpp"
#include "cli/xid_options.hpp"
#include "fault/values.hpp"
#include "kernel_log/sink.hpp"
#include "local/error.hpp"
#include "local/machine.hpp"
#include "local/spec.hpp"

namespace cudafault::cli {

namespace {

using kernel_log::Line;

constexpr const char* kKernelLogExamples = R"(Examples:
  cudafault kernel-log 79 --gpu 0000:65:00.0                     the lines of driver 570, on standard output
  cudafault kernel-log 48 --gpu 0 --driver 580 --follow-ups      XID 48 and the XIDs that follow it
  cudafault kernel-log 95 --gpu 0 --storm 1000 --count 800000 --to storm.log
  cudafault kernel-log 79 --gpu 0 --to /dev/kmsg                 for monitors that read the kernel log (root)
  cudafault kernel-log sxid:20034 --gpu 0000:c1:00.0 --link 30   an error of an NVSwitch

A line that is written to /dev/kmsg has the facility "user", because only the kernel can use its own. For a monitor that reads
the journal instead of /dev/kmsg, add --journald.)";

struct KernelLogOptions {
    std::string xid, gpu, gpus, to = "-", process, format = "text", mig;
    unsigned driver = 570, link = 0, nvswitch = 0;
    int pid = 0;
    double storm = 0;
    uint64_t count = 0;
    bool follow_ups = false, not_first = false, journald = false;
};

bool is_pci_address(const std::string& text) {
    GpuSelector selector;
    return parse_gpu(local::text_of(text), selector) && selector.kind == GpuKind::pci;
}

// "0000:65:00.0", also if the domain or the function is missing.
std::string full_address(const std::string& text) {
    GpuSelector selector;
    parse_gpu(local::text_of(text), selector);
    return fmt::format("{:04x}:{:02x}:{:02x}.0", selector.number >> 16, selector.number >> 8 & 0xff,
                       selector.number & 0xff);
}

bool is_selected(const local::Gpu& gpu, const std::string& text) {
    return text == std::to_string(gpu.index) || (text.starts_with("GPU-") && gpu.uuid.starts_with(text)) ||
           (is_pci_address(text) && full_address(text) == full_address(gpu.pci));
}

// A PCI address needs no GPU on this machine. Its UUID is then unknown.
kernel_log::Gpu find_gpu(const KernelLogOptions& options) {
    const local::Machine machine =
        local::find_machine(options.gpus.empty() ? std::nullopt : std::optional(options.gpus));
    const auto found = std::find_if(machine.gpus.begin(), machine.gpus.end(),
                                    [&](const local::Gpu& gpu) { return is_selected(gpu, options.gpu); });
    if (found != machine.gpus.end())
        return {full_address(found->pci), found->uuid, "", static_cast<unsigned>(found->index), {}, {}};
    if (!is_pci_address(options.gpu)) {
        refuse_option(fmt::format(
            "unknown GPU \"{}\": expected the index or UUID of a GPU of this machine, or a PCI address such as "
            "0000:65:00.0",
            options.gpu));
    }
    return {full_address(options.gpu), "", "", 0, {}, {}};
}

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

void write(kernel_log::Sink& sink, const std::vector<Line>& lines, bool journald) {
    for (const Line& line : lines) {
        sink.write(line);
        // journald takes a first word with a colon as the name of the program, and drops it.
        if (journald) sink.write({line.level, "kernel: " + line.text});
    }
}

std::optional<kernel_log::Owner> owner_of(const KernelLogOptions& options) {
    if (options.pid == 0 && options.process.empty()) return {};
    return kernel_log::Owner{options.pid, options.process.empty() ? "python3" : options.process};
}

void sleep_until_delay(std::chrono::steady_clock::time_point start, const std::string& delay) {
    uint64_t ns = 0;
    parse_duration(local::text_of(delay), ns);
    std::this_thread::sleep_until(start + std::chrono::nanoseconds(ns));
}

void write_follow_ups(kernel_log::Sink& sink, const catalog::Entry& entry, const kernel_log::Gpu& gpu,
                      const KernelLogOptions& options) {
    const auto start = std::chrono::steady_clock::now();
    for (const catalog::FollowUp& next : entry.follow_ups) {
        const auto lines =
            kernel_log::xid_lines(*catalog::find_entry(next.xid), options.driver, gpu, owner_of(options), entry.number);
        if (lines.empty()) continue;  // this branch does not print it
        sleep_until_delay(start, next.delay);
        write(sink, lines, options.journald);
    }
}

// Writes the lines of one XID again and again. count 0: until the command is interrupted.
void write_storm(kernel_log::Sink& sink, const std::vector<Line>& lines, const KernelLogOptions& options) {
    const auto start = std::chrono::steady_clock::now();
    const std::chrono::duration<double> interval(1 / options.storm);
    uint64_t written = 0;
    while (options.count == 0 || written < options.count) {
        for (size_t i = 0; i < lines.size() && (options.count == 0 || written < options.count); ++i, ++written) {
            std::this_thread::sleep_until(
                start + std::chrono::duration_cast<std::chrono::nanoseconds>(interval * static_cast<double>(written)));
            write(sink, {lines[i]}, options.journald);
        }
    }
}

void write_xid(kernel_log::Sink& sink, const KernelLogOptions& options) {
    const catalog::Entry& entry = usable_entry(options.xid);
    check_driver_branch(options.driver);
    kernel_log::Gpu gpu = find_gpu(options);
    if (!options.mig.empty()) set_mig_device(gpu, options.mig);
    const auto lines = kernel_log::xid_lines(entry, options.driver, gpu, owner_of(options), 0);
    if (lines.empty()) {
        refuse_option(fmt::format("driver {} does not print XID {}: drivers print it from {} on", options.driver,
                                  entry.number, kernel_log::first_branch(entry)));
    }
    if (!options.not_first) write(sink, kernel_log::first_lines(gpu), options.journald);
    if (options.storm > 0) return write_storm(sink, lines, options);
    write(sink, lines, options.journald);
    if (options.follow_ups) write_follow_ups(sink, entry, gpu, options);
}

void write_switch_error(kernel_log::Sink& sink, const KernelLogOptions& options) {
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
    write(sink, kernel_log::switch_lines(*error, {options.nvswitch, full_address(options.gpu), options.link}),
          options.journald);
}

void run(const KernelLogOptions& options) {
    try {
        kernel_log::Sink sink(options.to,
                              options.format == "record" ? kernel_log::Format::record : kernel_log::Format::text);
        options.xid.starts_with("sxid:") ? write_switch_error(sink, options) : write_xid(sink, options);
    } catch (const local::Error&) {
        throw;
    } catch (const std::runtime_error& error) {
        throw local::Error(local::kEnvironment, error.what());
    }
}

}  // namespace

void add_kernel_log(CLI::App& app) {
    const auto options = std::make_shared<KernelLogOptions>();
    CLI::App* verb =
        app.add_subcommand("kernel-log", "Write the kernel log lines of an XID, as the driver prints them");
    verb->add_option("xid", options->xid, "The XID, or sxid:NUMBER for an error of an NVSwitch")->required();
    verb->add_option("--gpu", options->gpu,
                     "The GPU: index, UUID or PCI address; for an SXid the PCI address of the NVSwitch")
        ->required();
    verb->add_option("--gpus", options->gpus, "Where to look up the GPU; values as for `cudafault run`");
    verb->add_option("--driver", options->driver, "Driver branch: 535, 550, 570, 580, 590, 595 or 615")
        ->capture_default_str();
    verb->add_option("--mig", options->mig, "MIG device: GPU instance, or GPU instance:compute instance");
    verb->add_option("--pid", options->pid, "Process ID that the line names");
    verb->add_option("--process", options->process, "Process name that the line names");
    verb->add_option("--to", options->to, "Standard output (-), a file to append to, or /dev/kmsg")
        ->capture_default_str();
    verb->add_option("--format", options->format, "In a file: text, or record as a reader of /dev/kmsg sees it")
        ->check(CLI::IsMember({"text", "record"}))
        ->capture_default_str();
    verb->add_flag("--follow-ups", options->follow_ups, "Also write the XIDs that follow, after their delays");
    verb->add_flag("--not-first", options->not_first, "Omit the lines that precede the first XID of a GPU");
    verb->add_option("--storm", options->storm, "Repeat the lines, this many per second")->check(CLI::PositiveNumber);
    verb->add_option("--count", options->count, "With --storm: the number of lines; without it, until interrupted");
    verb->add_option("--link", options->link, "SXid: the NVLink");
    verb->add_option("--nvswitch", options->nvswitch, "SXid: the number of the NVSwitch");
    verb->add_flag("--journald", options->journald, "Also write each line in the form that journald stores unchanged");
    verb->footer(kKernelLogExamples);
    verb->callback([options] { run(*options); });
}

}  // namespace cudafault::cli
