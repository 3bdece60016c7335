// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "cli/log_line_options.hpp"
#include "cli/verbs.hpp"
#include "cli/xid_options.hpp"
#include "fault/values.hpp"
#include "kernel_log/sink.hpp"
#include "local/error.hpp"
#include "local/machine.hpp"
#include "local/spec.hpp"

namespace cudafault::cli {

namespace {

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

bool is_selected(const local::Gpu& gpu, const GpuSelector& selector, const std::string& text) {
    switch (selector.kind) {
        case GpuKind::index:
            return selector.number == static_cast<uint32_t>(gpu.index) && selector.last == selector.number;
        case GpuKind::uuid: return gpu.uuid.starts_with(text);
        case GpuKind::pci: return full_address(text) == full_address(gpu.pci);
        case GpuKind::local: break;
    }
    return false;
}

[[noreturn]] void refuse_gpu(const std::string& text, const local::Machine& machine) {
    if (!machine.known)
        refuse_option(
            fmt::format("cannot look up GPU \"{}\", because NVML is not available: use a PCI address such as "
                        "0000:65:00.0, or --gpus sim",
                        text));
    refuse_option(
        fmt::format("unknown GPU \"{}\": expected the index or UUID of one GPU of this machine, or a PCI address "
                    "such as 0000:65:00.0",
                    text));
}

// A PCI address needs no GPU on this machine. Its UUID is then unknown.
kernel_log::Gpu find_gpu(const std::string& text, const std::string& gpus) {
    const local::Machine machine = local::find_machine(gpus.empty() ? std::nullopt : std::optional(gpus));
    GpuSelector selector;
    if (!parse_gpu(local::text_of(text), selector)) refuse_gpu(text, machine);
    std::vector<const local::Gpu*> found;
    for (const local::Gpu& gpu : machine.gpus) {
        if (is_selected(gpu, selector, text)) found.push_back(&gpu);
    }
    if (found.size() == 1)
        return {full_address(found[0]->pci), found[0]->uuid, "", static_cast<unsigned>(found[0]->index), {}, {}};
    if (!found.empty() || selector.kind != GpuKind::pci) refuse_gpu(text, machine);
    return {full_address(text), "", "", 0, {}, {}};
}

void write(kernel_log::Sink& sink, const std::vector<kernel_log::Line>& lines, bool journald) {
    for (const kernel_log::Line& line : lines) {
        for (const kernel_log::Line& written : written_lines(line, journald)) sink.write(written);
    }
}

void write_follow_ups(kernel_log::Sink& sink, const std::vector<FollowUpLines>& follow_ups, bool journald) {
    const auto start = std::chrono::steady_clock::now();
    for (const FollowUpLines& next : follow_ups) {
        std::this_thread::sleep_until(start + next.delay);
        write(sink, next.lines, journald);
    }
}

// Writes the lines of one XID repeatedly. count 0: until the command is interrupted.
void write_storm(kernel_log::Sink& sink, const std::vector<kernel_log::Line>& lines, const KernelLogOptions& options) {
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

constexpr double kMinStorm = 0.001, kMaxStorm = 1'000'000;  // lines per second

void check_storm(const KernelLogOptions& options) {
    const CLI::App& verb = *options.lines.verb;
    const bool is_storm = verb.count("--storm") > 0;
    if (is_storm && !(options.storm >= kMinStorm && options.storm <= kMaxStorm))  // also refuses NaN
        refuse_option(
            fmt::format("invalid --storm {}: expected {} to {} lines per second", options.storm, kMinStorm, kMaxStorm));
    if (!is_storm && verb.count("--count") > 0) refuse_option("invalid --count: it needs --storm");
    if (is_storm && options.lines.follow_ups) refuse_option("invalid --follow-ups: a storm repeats one XID");
    if (is_storm && options.count == 0 && kernel_log::is_device(options.to))
        refuse_option("missing --count: an endless storm would replace the kernel log of this machine");
}

void run(const KernelLogOptions& options) {
    check_storm(options);
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
    verb->add_option("--gpus", options->gpus, "Where to look up the GPU; values as for `cudafault run`")
        ->type_name("GPUS");
    verb->add_option("--to", options->to, "Standard output (-), a file to append to, or /dev/kmsg")
        ->type_name("PATH")
        ->capture_default_str();
    verb->add_option("--format", options->format, "In a file: text, or record as a reader of /dev/kmsg sees it")
        ->type_name("FORMAT")
        ->check(CLI::IsMember({"text", "record"}))
        ->capture_default_str();
    verb->add_flag("--not-first", options->not_first, "Omit the lines that precede the first XID of a GPU");
    verb->add_option("--storm", options->storm, "Repeat the lines, this many per second")->type_name("RATE");
    verb->add_option("--count", options->count, "With --storm: the number of lines (default: until interrupted)")
        ->type_name("N")
        ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000'000'000}));
    verb->footer(kKernelLogExamples);
    verb->callback([options] { run(*options); });
}

}  // namespace cudafault::cli
