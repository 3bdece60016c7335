// SPDX-License-Identifier: Apache-2.0
// The options that `kernel-log` and `k8s kernel-log` share, and the lines that they select.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "kernel_log/lines.hpp"

namespace cudafault::cli {

struct LogLineOptions {
    std::string xid;  // or sxid:NUMBER
    std::string gpu, mig, process;
    unsigned driver = 570, link = 0, nvswitch = 0;
    int pid = 0;
    bool follow_ups = false, journald = false;
    const CLI::App* verb = nullptr;  // the verb that has the options
};

// Adds the options and the argument XID. `gpu_help` describes the values of --gpu that the verb accepts.
void add_log_line_options(CLI::App& verb, LogLineOptions& options, const std::string& gpu_help);

struct FollowUpLines {
    std::chrono::nanoseconds delay;  // after the XID
    std::vector<kernel_log::Line> lines;
};

struct SelectedLines {
    std::vector<kernel_log::Line> first;  // precede the first XID of a GPU
    std::vector<kernel_log::Line> xid;    // of the XID or SXid
    std::vector<FollowUpLines> follow_ups;
};

// Throws local::Error for an invalid option, and for an XID that the driver branch does not print. Calls `find_gpu`
// with the value of --gpu, unless the options name an SXid.
SelectedLines select_lines(const LogLineOptions& options,
                           const std::function<kernel_log::Gpu(const std::string& gpu)>& find_gpu);

// Returns the line and, with `journald`, a second line that journald stores unchanged.
std::vector<kernel_log::Line> written_lines(const kernel_log::Line& line, bool journald);

bool is_pci_address(const std::string& text);

// Returns "0000:65:00.0", also if the domain or the function is missing in `pci_address`.
std::string full_address(const std::string& pci_address);

}  // namespace cudafault::cli
