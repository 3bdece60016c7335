// SPDX-License-Identifier: Apache-2.0
#include "kernel_log/lines.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace cudafault::kernel_log {

namespace {

constexpr int kError = 3, kWarning = 4;

// From this branch on, a line without a known owner has no pid and name.
constexpr unsigned kOmitsUnknownOwner = 570;

// The driver prints the PCI address without the function.
std::string without_function(const std::string& pci) { return pci.substr(0, pci.find('.')); }

std::string device(const Gpu& gpu) {
    std::string text = "PCI:" + without_function(gpu.pci);
    if (gpu.gpu_instance) text += fmt::format(" GPU-I:{:02}", *gpu.gpu_instance);
    if (gpu.compute_instance) text += fmt::format(" GPU-CI:{:02}", *gpu.compute_instance);
    return text;
}

std::string owner_text(unsigned branch, const std::optional<Owner>& owner) {
    if (owner) return fmt::format("pid={}, name={}, ", owner->pid, owner->name);
    return branch < kOmitsUnknownOwner ? "pid='<unknown>', name=<unknown>, " : "";
}

std::string replaced(std::string text, const std::string& name, const std::string& value) {
    for (size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += value.size())
        text.replace(at, name.size(), value);
    return text;
}

// The recovery actions as the driver prints them. Sources: open-gpu-kernel-modules gpu.c (0 to 5, documented) and issue
// 1353 there (branch 610, observed). The texts of 6 and 7 are inferred from their names in NVML.
std::string action_text(const std::string& action, unsigned branch) {
    constexpr unsigned kNewTexts = 610;
    struct Action {
        std::string_view value, text, new_text;
    };
    constexpr Action kActions[] = {
        {"none", "0x0 (None)", "0x0 (None)"},
        {"gpu_reset", "0x1 (GPU Reset Required)", "0x1 (PF FLR)"},
        {"node_reboot", "0x2 (Node Reboot Required)", "0x2 (OS Reboot)"},
        {"drain_p2p", "0x3 (Drain P2P)", "0x3 (Drain P2P)"},
        {"drain_and_reset", "0x4 (Drain and Reset)", "0x4 (Drain and Reset)"},
        {"recover_imex_domain", "0x5 (Recover IMEX Domain)", "0x5 (Recover IMEX Domain)"},
        {"bus_reset", "0x6 (Bus Reset)", "0x6 (Bus Reset)"},
        {"system_reboot", "0x7 (System Reboot)", "0x7 (System Reboot)"},
    };
    for (const Action& row : kActions) {
        if (row.value == action) return std::string(branch < kNewTexts ? row.text : row.new_text);
    }
    return std::string(kActions[0].text);
}

std::string filled(const std::string& text, const Gpu& gpu, const catalog::Entry* cause) {
    const std::string reason = cause ? fmt::format(" caused by previous Xid {}", cause->number) : "";
    return replaced(replaced(replaced(text, "{bdf}", gpu.pci), "{index}", std::to_string(gpu.index)), "{cause}",
                    reason);
}

// The text that this branch prints, or nullptr if the branch is older than the line.
const std::string* text_of(const catalog::LogLine& line, unsigned branch) {
    const std::string* found = nullptr;
    for (const catalog::LogText& text : line.texts) {
        if (text.branch <= branch) found = &text.text;
    }
    return found;
}

}  // namespace

const std::vector<unsigned>& driver_branches() {
    static const std::vector<unsigned> branches = {535, 550, 570, 580, 590, 595, 615};
    return branches;
}

std::vector<Line> first_lines(const Gpu& gpu) {
    std::vector<Line> lines;
    const std::string start = "NVRM: GPU at PCI:" + without_function(gpu.pci) + ": ";
    if (!gpu.uuid.empty()) lines.push_back({kWarning, start + gpu.uuid});
    if (!gpu.serial.empty()) lines.push_back({kWarning, "NVRM: GPU Board Serial Number: " + gpu.serial});
    return lines;
}

std::vector<Line> xid_lines(const catalog::Entry& entry, unsigned branch, const Gpu& gpu,
                            const std::optional<Owner>& owner, const catalog::Entry* cause) {
    std::vector<Line> lines;
    for (const catalog::LogLine& line : entry.log) {
        const std::string* text = text_of(line, branch);
        if (!text) continue;
        const std::string action = action_text((cause ? *cause : entry).action.value, branch);
        const std::string body = replaced(filled(*text, gpu, cause), "{action}", action);
        if (line.form == "driver") {
            lines.push_back({kWarning, "NVRM: " + body});
            continue;
        }
        const std::string who = owner_text(branch, line.owner == "process" ? owner : std::nullopt);
        lines.push_back({kWarning, fmt::format("NVRM: Xid ({}): {}, {}{}", device(gpu), entry.number, who, body)});
    }
    return lines;
}

unsigned first_branch(const catalog::Entry& entry) {
    const auto& line = *std::find_if(entry.log.begin(), entry.log.end(),
                                     [](const catalog::LogLine& candidate) { return candidate.form == "xid"; });
    const unsigned first = line.texts.front().branch;
    const auto& known = driver_branches();
    const auto found = std::lower_bound(known.begin(), known.end(), first);
    return found == known.end() ? first : *found;
}

const std::vector<SwitchError>& switch_errors() {
    // Sources: NVIDIA/open-gpu-kernel-modules common_nvswitch.h and intr_nvswitch.h (format, documented), issue 1118
    // there (20034, 24007, observed), the Fabric Manager user guide (documented).
    static const std::vector<SwitchError> errors = {
        {12028, false, "egress non-posted PRIV error"},
        {19084, false, "AN1 Heartbeat Timeout Error"},
        {20034, true, "LTSSM Fault Up"},
        {24007, true, "sourcetrack timeout error"},
    };
    return errors;
}

const SwitchError* find_switch_error(unsigned number) {
    for (const SwitchError& error : switch_errors()) {
        if (error.number == number) return &error;
    }
    return nullptr;
}

std::vector<Line> switch_lines(const SwitchError& error, const SwitchLink& link) {
    const std::string start =
        fmt::format("nvidia-nvswitch{}: SXid (PCI:{}): {:05}, ", link.instance, link.pci, error.number);
    const char* severity = error.fatal ? "Fatal" : "Non-fatal";
    return {
        {kError, fmt::format("{}{}, Link {:02} {} (First)", start, severity, link.link, error.text)},
        {kError, fmt::format("{}Severity {} Engine instance {:02} Sub-engine instance 00", start, error.fatal ? 1 : 0,
                             link.link)},
        {kError, start + "Data {0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000, "
                         "0x00000000, 0x00000000}"},
    };
}

}  // namespace cudafault::kernel_log
