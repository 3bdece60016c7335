// SPDX-License-Identifier: Apache-2.0
// Formats XIDs and SXids as the NVIDIA driver prints them to the kernel log.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/entry.hpp"

namespace cudafault::kernel_log {

// The driver branches whose lines are known, ascending.
const std::vector<unsigned>& driver_branches();

// The GPU that a line names.
struct Gpu {
    std::string pci;     // "0000:65:00.0", as nvidia-smi prints it without the leading zeros of the domain
    std::string uuid;    // "GPU-..."; empty: unknown
    std::string serial;  // board serial number; empty: unknown
    unsigned index = 0;  // in nvidia-smi's numbering
    std::optional<unsigned> gpu_instance, compute_instance;  // of a MIG device
};

// The process that owns the channel.
struct Owner {
    int pid;
    std::string name;
};

struct Line {
    int level;         // as in syslog.h: 3 error, 4 warning. The facility is 0 (kernel)
    std::string text;  // without newline
};

// The lines that the driver prints before the first XID of a GPU. A line whose value is unknown is omitted.
std::vector<Line> first_lines(const Gpu&);

// Returns the lines of an XID. `cause` is the XID that this one follows; nullptr: none. The result is empty if this
// branch does not print the XID (first_branch). The branch must be one that driver_branches() returns.
std::vector<Line> xid_lines(const catalog::Entry&, unsigned branch, const Gpu&, const std::optional<Owner>&,
                            const catalog::Entry* cause);

// Returns the oldest branch in driver_branches() that prints the XID. If all of these branches are older than the XID,
// returns the branch that introduced it.
unsigned first_branch(const catalog::Entry&);

// An error of an NVSwitch up to the third generation.
struct SwitchError {
    unsigned number;
    bool fatal;
    std::string text;
};
const SwitchError* find_switch_error(unsigned number);  // nullptr: unknown
const std::vector<SwitchError>& switch_errors();

struct SwitchLink {
    unsigned instance;  // 3 of nvidia-nvswitch3
    std::string pci;    // "0000:c1:00.0"
    unsigned link;
};
std::vector<Line> switch_lines(const SwitchError&, const SwitchLink&);

}  // namespace cudafault::kernel_log
