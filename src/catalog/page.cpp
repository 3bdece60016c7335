// SPDX-License-Identifier: Apache-2.0
#include "catalog/page.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <sstream>

namespace cudafault::catalog {

namespace {

const std::map<std::string, std::string>& words() {
    static const std::map<std::string, std::string> all = {
        {"restart", "the process ends"},
        {"reset", "the GPU is reset"},
        {"driver-reload", "the driver is reloaded"},
        {"reboot", "the node is rebooted"},
        {"ecc_dram", "ECC errors in DRAM"},
        {"ecc_sram", "ECC errors in SRAM"},
        {"remapped_rows", "remapped rows"},
        {"remap_pending", "row remapping pending"},
        {"remap_failure", "row remapping failed"},
        {"retired_pages", "retired pages"},
        {"nvlink_errors", "NVLink errors"},
        {"nvlink_down", "NVLink inactive"},
        {"pcie_replay", "PCIe replays"},
        {"reset_required", "needs a reset"},
        {"gpu_reset", "reset the GPU"},
        {"node_reboot", "reboot the node"},
        {"drain_p2p", "drain peer-to-peer work"},
        {"drain_and_reset", "drain and reset the GPU"},
        {"recover_imex_domain", "recover the IMEX domain"},
        {"bus_reset", "reset the bus"},
        {"system_reboot", "reboot the system"},
        {"process", "the process"},
        {"gpu", "all processes on the GPU"},
        {"link", "the GPUs at both ends of the link"},
        {"node", "the node"},
        {"call", "one call"},
    };
    return all;
}

// Numbers the sources of a page in the order in which the page refers to them.
class References {
public:
    // " (observed [1] [2])"
    std::string mark(const Provenance& provenance) {
        std::string text = " (" + provenance.confidence;
        for (const std::string& source : provenance.sources) text += " [" + std::to_string(number_of(source)) + "]";
        return text + ")";
    }
    void write(std::ostream& out) const {
        if (sources_.empty()) return;
        out << "\nSources:\n\n";
        for (size_t i = 0; i < sources_.size(); ++i) out << i + 1 << ". " << sources_[i] << "\n";
    }

private:
    size_t number_of(const std::string& source) {
        const auto found = std::find(sources_.begin(), sources_.end(), source);
        if (found != sources_.end()) return static_cast<size_t>(found - sources_.begin()) + 1;
        sources_.push_back(source);
        return sources_.size();
    }

    std::vector<std::string> sources_;
};

std::string pattern_text(const Observation& seen, const std::string& codes) {
    if (seen.pattern == "none") return "no error";
    if (seen.pattern == "asynchronous")
        return codes + " from the next synchronizing call, query, copy, allocation or free on";
    if (seen.pattern == "context") return codes + " when a context is created; `cuInit` and enumeration work";
    if (seen.pattern == "init") return codes + " from `cuInit` and each runtime call";
    return "the GPU is not enumerated; " + codes + " if it was the only visible GPU";
}

// The remark as a sentence: with a capital letter and a period.
std::string sentence(std::string text) {
    if (text.empty()) return text;
    text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
    return " " + text + (text.back() == '.' ? "" : ".");
}

void write_observation(const char* who, const Observation& seen, References& references, std::ostream& out) {
    out << "- **" << who << "**: " << observation_text(seen, seen.codes) << references.mark(seen.provenance) << "."
        << sentence(seen.text) << "\n";
}

void write_nvml(const Entry& entry, References& references, std::ostream& out) {
    if (entry.nvml.value.empty()) return;
    out << "- **NVML**: GPU " << value_text(entry.nvml.value) << "; " << (entry.has_event ? "" : "no ") << "XID event";
    const char* separator = "; counts ";
    for (const std::string& counter : entry.counters) {
        out << separator << value_text(counter);
        separator = ", ";
    }
    out << references.mark(entry.nvml.provenance) << "." << sentence(entry.nvml.text) << "\n";
}

void write_fact(const char* title, const std::string& text, const Fact& fact, References& references,
                std::ostream& out) {
    if (fact.value.empty()) return;
    out << "- **" << title << "**: " << text << references.mark(fact.provenance) << "." << sentence(fact.text) << "\n";
}

// The text with examples for its placeholders.
std::string with_examples(std::string text, const Entry& entry) {
    const std::string action = entry.action.value == "gpu_reset" ? "0x1 (GPU Reset Required)" : "0x4 (Drain and Reset)";
    const std::pair<std::string, std::string> examples[] = {
        {"{bdf}", "0000:65:00.0"}, {"{index}", "0"}, {"{cause}", " caused by previous Xid 149"}, {"{action}", action}};
    for (const auto& [name, example] : examples) {
        const size_t at = text.find(name);
        if (at != std::string::npos) text.replace(at, name.size(), example);
    }
    return text;
}

void write_log(const Entry& entry, References& references, std::ostream& out) {
    out << "- **kernel log**:\n";
    for (const LogLine& line : entry.log) {
        for (const LogText& text : line.texts) {
            out << "  - from driver " << text.branch << ": `NVRM: ";
            if (line.form == "xid") out << "Xid (PCI:0000:65:00): " << entry.number << ", ";
            if (line.owner == "process") out << "pid=4242, name=python3, ";
            out << with_examples(text.text, entry) << "`" << references.mark(line.provenance) << "\n";
        }
    }
}

void write_follow_ups(const Entry& entry, References& references, std::ostream& out) {
    for (const FollowUp& next : entry.follow_ups) {
        out << "- **followed by**: XID " << next.xid << " after " << next.delay << references.mark(next.provenance)
            << "\n";
    }
}

void write_plan(const Entry& entry, std::ostream& out) {
    if (entry.simple.number == 0) {
        out << (entry.running.pattern.empty() ? "\nThe catalog does not say what CUDA returns" : "\nNo CUDA call fails")
            << ", so `model=simple` refuses this XID.\n";
        return;
    }
    out << "\n```spec\nxid=" << entry.number << " gpu=0\n```\n\nWith `model=simple`, each matched call returns "
        << codes_text({entry.simple}) << ".";
    if (!entry.simple_remark.empty()) out << " " << entry.simple_remark;
    out << "\n";
}

std::string join(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

std::string name_text(const Entry& entry) {
    const std::string driver = entry.driver_mnemonic.empty() ? "" : ", in the driver `" + entry.driver_mnemonic + "`";
    return "`" + entry.mnemonic + "`" + driver;
}

// The anchor that GitHub derives from a heading: lower case, spaces as hyphens, without punctuation.
std::string anchor(const std::string& heading) {
    std::string text;
    for (const char c : heading) {
        if (c == ' ' || c == '-') text += '-';
        if (std::isalnum(static_cast<unsigned char>(c)))
            text += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    return text;
}

}  // namespace

std::string value_text(const std::string& value) {
    const auto found = words().find(value);
    return found == words().end() ? value : found->second;
}

std::string advice_text(const Entry& entry) {
    const bool is_single = entry.next_recovery == "-" || entry.next_recovery == entry.recovery.value;
    return entry.recovery.value + (is_single ? "" : ", then " + entry.next_recovery);
}

std::string observation_text(const Observation& seen, const std::vector<Code>& codes) {
    std::string text = pattern_text(seen, codes_text(codes));
    if (!seen.stall.empty()) text += ", after blocking for " + seen.stall;
    if (seen.lasts == "process") text += ", until the process ends";
    if (seen.lasts == "call") text += ", for one call";
    return text;
}

std::string codes_text(const std::vector<Code>& codes) {
    std::string text;
    for (const Code& code : codes) {
        if (!text.empty()) text += ", from CUDA " + code.cuda + " ";
        text += std::to_string(code.number) + " `" + code.error + "`";
        if (!code.needs.empty()) text += " (GPUs with " + code.needs + ")";
    }
    return text;
}

std::string page(const Entry& entry) {
    std::ostringstream out;
    References references;
    out << "## " << entry.number << " " << entry.title << "\n\nNVIDIA's name: " << name_text(entry)
        << ". Depth: " << entry.depth << ".\n";
    if (!entry.use_case.empty()) out << "Use case: " << entry.use_case << ".\n";
    if (!entry.needs.empty()) out << "Needs a GPU with: " << join(entry.needs) << ".\n";
    if (entry.depth == "reserved") {
        out << "cudafault refuses this XID: " << entry.reason << ".\n";
        return out.str();
    }
    out << "\n";
    write_fact("affected", value_text(entry.scope.value), entry.scope, references, out);
    if (!entry.running.pattern.empty()) {
        write_observation("running process", entry.running, references, out);
        write_observation("new process", entry.new_process, references, out);
        write_observation("other GPUs", entry.others, references, out);
    }
    write_nvml(entry, references, out);
    write_fact("recovery action", value_text(entry.action.value), entry.action, references, out);
    write_log(entry, references, out);
    write_follow_ups(entry, references, out);
    write_fact("ends when", value_text(entry.heals_by.value), entry.heals_by, references, out);
    if (entry.recovery.value != "-") write_fact("NVIDIA's advice", advice_text(entry), entry.recovery, references, out);
    write_fact("operational event", entry.goe.value, entry.goe, references, out);
    write_plan(entry, out);
    references.write(out);
    return out.str();
}

std::string overview(const std::vector<Entry>& entries) {
    std::ostringstream out;
    out << "# XIDs\n\n"
           "XIDs are the numbers of NVIDIA's GPU errors. Each section says what happens on a real GPU and to whom. A "
           "code is what\n"
           "CUDA returns; [incidents.md](incidents.md) explains the words.\n\n"
           "*Depth* says how much is known: `full`; `nvml` (kernel log, NVML and recovery); `log` (kernel log and "
           "recovery).\n"
           "`cudafault xids NUMBER` prints a section.\n\n"
           "| XID | what happened | depth | `model=simple` returns |\n|---|---|---|---|\n";
    for (const Entry& entry : entries) {
        if (entry.depth == "reserved") continue;
        out << "| [" << entry.number << "](#" << entry.number << "-" << anchor(entry.title) << ") | " << entry.title
            << " | " << entry.depth << " | " << (entry.simple.number ? codes_text({entry.simple}) : "-") << " |\n";
    }
    return out.str();
}

}  // namespace cudafault::catalog
