// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "cli/log_line_options.hpp"
#include "cli/verbs.hpp"
#include "cli/xid_options.hpp"
#include "kernel_log/sink.hpp"
#include "local/error.hpp"
#include "local/machine.hpp"

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
    LogLineOptions lines;
    std::string gpus, to = "-", format = "text";
    double storm = 0;
    uint64_t count = 0;
    bool not_first = false;
};

bool is_selected(const local::Gpu& gpu, const std::string& text) {
    return text == std::to_string(gpu.index) || (text.starts_with("GPU-") && gpu.uuid.starts_with(text)) ||
           (is_pci_address(text) && full_address(text) == full_address(gpu.pci));
}

// A PCI address needs no GPU on this machine. Its UUID is then unknown.
kernel_log::Gpu find_gpu(const std::string& text, const std::string& gpus) {
    const local::Machine machine = local::find_machine(gpus.empty() ? std::nullopt : std::optional(gpus));
    const auto found = std::find_if(machine.gpus.begin(), machine.gpus.end(),
                                    [&](const local::Gpu& gpu) { return is_selected(gpu, text); });
    if (found != machine.gpus.end())
        return {full_address(found->pci), found->uuid, "", static_cast<unsigned>(found->index), {}, {}};
    if (!is_pci_address(text)) {
        refuse_option(fmt::format(
            "unknown GPU \"{}\": expected the index or UUID of a GPU of this machine, or a PCI address such as "
            "0000:65:00.0",
            text));
    }
    return {full_address(text), "", "", 0, {}, {}};
}

void write(kernel_log::Sink& sink, const std::vector<Line>& lines, bool journald) {
    for (const Line& line : lines) {
        for (const Line& written : written_lines(line, journald)) sink.write(written);
    }
}

void write_follow_ups(kernel_log::Sink& sink, const std::vector<FollowUpLines>& follow_ups, bool journald) {
    const auto start = std::chrono::steady_clock::now();
    for (const FollowUpLines& next : follow_ups) {
        std::this_thread::sleep_until(start + next.delay);
        write(sink, next.lines, journald);
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
            write(sink, {lines[i]}, options.lines.journald);
        }
    }
}

void write_all(kernel_log::Sink& sink, const SelectedLines& selected, const KernelLogOptions& options) {
    if (!options.not_first) write(sink, selected.first, options.lines.journald);
    if (options.storm > 0) return write_storm(sink, selected.xid, options);
    write(sink, selected.xid, options.lines.journald);
    write_follow_ups(sink, selected.follow_ups, options.lines.journald);
}

void run(const KernelLogOptions& options) {
    const SelectedLines selected =
        select_lines(options.lines, [&](const std::string& gpu) { return find_gpu(gpu, options.gpus); });
    try {
        kernel_log::Sink sink(options.to,
                              options.format == "record" ? kernel_log::Format::record : kernel_log::Format::text);
        write_all(sink, selected, options);
    } catch (const std::runtime_error& error) {
        throw local::Error(local::kEnvironment, error.what());
    }
}

}  // namespace

void add_kernel_log(CLI::App& app) {
    const auto options = std::make_shared<KernelLogOptions>();
    CLI::App* verb =
        app.add_subcommand("kernel-log", "Write the kernel log lines of an XID, as the driver prints them");
    add_log_line_options(*verb, options->lines,
                         "The GPU: index, UUID or PCI address; for an SXid the PCI address of the NVSwitch");
    verb->add_option("--gpus", options->gpus, "Where to look up the GPU; values as for `cudafault run`");
    verb->add_option("--to", options->to, "Standard output (-), a file to append to, or /dev/kmsg")
        ->capture_default_str();
    verb->add_option("--format", options->format, "In a file: text, or record as a reader of /dev/kmsg sees it")
        ->check(CLI::IsMember({"text", "record"}))
        ->capture_default_str();
    verb->add_flag("--not-first", options->not_first, "Omit the lines that precede the first XID of a GPU");
    verb->add_option("--storm", options->storm, "Repeat the lines, this many per second")->check(CLI::PositiveNumber);
    verb->add_option("--count", options->count, "With --storm: the number of lines; without it, until interrupted");
    verb->footer(kKernelLogExamples);
    verb->callback([options] { run(*options); });
}

}  // namespace cudafault::cli
