// SPDX-License-Identifier: Apache-2.0
#include "local/spec.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

#include "fault/text_builder.hpp"
#include "fault/values.hpp"
#include "fault/words.hpp"
#include "local/system.hpp"
#include "os/clock.hpp"

namespace cudafault::local {

namespace {

constexpr size_t kContext = 60;  // characters shown before and after the position of the error

// Returns the spec around the position, and a line with a marker below it.
std::string pointer(const std::string& spec, size_t position, size_t length) {
    const size_t start = position > kContext ? position - kContext : 0;
    const size_t end = std::min(spec.size(), position + kContext);
    std::string shown = spec.substr(start, end - start);
    for (char& c : shown) c = is_separator(c) && c != ',' ? ' ' : printable_ascii(c);
    const std::string before = start > 0 ? "..." : "";
    const std::string after = end < spec.size() ? "..." : "";
    const size_t marked = std::min(length, end - position);
    const std::string tail(marked > 1 ? marked - 1 : 0, '~');
    const std::string margin(before.size() + position - start, ' ');
    return fmt::format("  {}{}{}\n  {}^{}", before, shown, after, margin, tail);
}

std::string refusal(const std::string& spec, const SpecError& error) {
    return fmt::format("plan refused at column {}: {}\n{}", error.position + 1, error.message,
                       pointer(spec, error.position, error.length));
}

bool has_uuid(const std::string& uuid, const GpuSelector& selector) {
    GpuSelector whole;
    return parse_gpu(text_of(uuid), whole) && whole.kind == GpuKind::uuid && is_uuid_match(selector, whole.uuid);
}

bool has_pci(const Gpu& gpu, const GpuSelector& selector) {
    GpuSelector address;
    return parse_gpu(text_of(gpu.pci), address) && address.kind == GpuKind::pci && address.number == selector.number;
}

bool has_index(const Gpu& gpu, const GpuSelector& selector) {
    const auto index = static_cast<uint32_t>(gpu.index);
    return selector.number <= index && index <= selector.last;
}

bool is_gpu_selected(const GpuSelector& selector, const Gpu& gpu) {
    switch (selector.kind) {
        case GpuKind::index: return has_index(gpu, selector);
        case GpuKind::pci: return has_pci(gpu, selector);
        case GpuKind::uuid: return !selector.is_mig && has_uuid(gpu.uuid, selector);
        case GpuKind::local: break;
    }
    return false;
}

// Returns the UUIDs of the GPUs or MIG devices that the selector selects.
std::vector<std::string> find_uuids(const Machine& machine, const GpuSelector& selector) {
    std::vector<std::string> found;
    for (const Gpu& gpu : machine.gpus) {
        if (is_gpu_selected(selector, gpu)) found.push_back(gpu.uuid);
        if (!selector.is_mig) continue;
        for (const MigDevice& mig : gpu.mig_devices) {
            if (has_uuid(mig.uuid, selector)) found.push_back(mig.uuid);
        }
    }
    return found;
}

// Returns the UUID of a MIG device of the machine. Returns an empty text if the machine has no MIG devices.
std::string any_mig_device(const Machine& machine) {
    for (const Gpu& gpu : machine.gpus) {
        if (!gpu.mig_devices.empty()) return gpu.mig_devices.back().uuid;
    }
    return "";
}

std::string expected_gpus(const Machine& machine) {
    if (machine.gpus.empty()) return "the machine has no GPUs";
    const size_t last = machine.gpus.size() - 1;
    const std::string indices = last == 0 ? "0" : fmt::format("0 to {}", last);
    return fmt::format("expected {}, or the UUID or PCI id of a GPU, such as {} or {}", indices,
                       machine.gpus[last].uuid, machine.gpus[last].pci);
}

std::string missing_gpu(const Machine& machine, const GpuSelector& selector) {
    const char* name = machine.simulated ? "the simulated machine" : "this machine";
    if (!selector.is_mig) return fmt::format("{} has no such GPU: {}", name, expected_gpus(machine));
    const std::string mig = any_mig_device(machine);
    if (!mig.empty())
        return fmt::format("{} has no such MIG device: expected the UUID of a MIG device, such as {}", name, mig);
    return "the simulated GPUs have no MIG devices, so the fault can never fire: add MIG profiles, as in "
           "--gpus sim:H100/1g.10gb:7";
}

[[noreturn]] void refuse_gpu(const std::string& spec, Text word, const std::string& reason) {
    SpecError error{static_cast<size_t>(word.data - spec.data()), word.size, ""};
    TextBuilder message(error.message);
    message.add("invalid gpu= ");
    message.add(Quoted{word});
    message.add(": ");
    message.add(text_of(reason));
    throw SpecRefused(spec, error);
}

// Returns the UUIDs of the GPUs that a word of a gpu= list selects.
std::string uuids_of(const std::string& spec, Text word, const GpuSelector& selector, const Machine& machine) {
    const std::vector<std::string> found = find_uuids(machine, selector);
    const size_t expected = selector.kind == GpuKind::index ? selector.last - selector.number + 1 : 1;
    if (found.size() > expected) {
        refuse_gpu(spec, word,
                   fmt::format("{} {} have a UUID that starts with these digits: give more digits", found.size(),
                               selector.is_mig ? "MIG devices" : "GPUs"));
    }
    if (found.size() < expected) refuse_gpu(spec, word, missing_gpu(machine, selector));
    return fmt::format("{}", fmt::join(found, ","));
}

// Refuses an ordinal that no process of a simulated run can have. The processes of a real machine may have ordinals for
// MIG devices, which the list of GPUs does not contain.
void check_ordinal(const std::string& spec, Text word, const GpuSelector& selector, const Machine& machine) {
    const size_t count = machine.gpus.size();
    if (selector.kind != GpuKind::local || !machine.simulated || selector.number < count) return;
    const std::string expected = count == 0   ? "the machine has no GPUs"
                                 : count == 1 ? "expected local:0"
                                              : fmt::format("expected local:0 to local:{}", count - 1);
    refuse_gpu(spec, word, "no process of the simulated machine has this ordinal: " + expected);
}

// Removes comments, and spaces and commas at both ends.
std::string without_comments(Text fault) {
    std::string out;
    for (size_t at = 0; at < fault.size; ++at) {
        at = skip_comment(fault, at);
        if (at < fault.size) out += fault[at];
    }
    const size_t first = out.find_first_not_of(" ,\t\r\n"), last = out.find_last_not_of(" ,\t\r\n");
    return out.substr(first, last - first + 1);
}

// Returns the words of the gpu= lists in a spec.
std::vector<Text> gpu_words(const std::string& spec) {
    std::vector<Text> words;
    Text rest = text_of(spec);
    for (Text fault; !(fault = next_fault(rest)).empty();) {
        bool in_list = false;
        for (SpecWord word; next_spec_word(fault, word);) {
            if (word.has_key) in_list = word.key == Text("gpu");
            if (in_list) words.push_back(word.value);
        }
    }
    return words;
}

// Returns true if the machine's list of GPUs can resolve the selector. The list cannot resolve `local:`, which selects
// an ordinal of each process, and the list of a real machine contains no MIG devices.
bool can_resolve(const GpuSelector& selector, const Machine& machine) {
    return selector.kind != GpuKind::local && (machine.simulated || !selector.is_mig);
}

std::unique_ptr<Plan> parse(const std::string& spec, const Arming* arming) {
    auto plan = std::make_unique<Plan>();
    SpecError error{};
    if (!parse_plan(text_of(spec), *plan, error, arming)) throw SpecRefused(spec, error);
    return plan;
}

}  // namespace

SpecRefused::SpecRefused(const std::string& spec_text, const SpecError& error)
    : Error(kUsage, refusal(spec_text, error)),
      spec(spec_text),
      message(error.message),
      column(error.position + 1),
      length(error.length) {}

std::unique_ptr<Plan> parse_spec(const std::string& spec, uint64_t ranks) {
    const Arming arming{wall_clock_ns(), ranks};
    return parse(spec, &arming);
}

std::unique_ptr<Plan> parse_armed_spec(const std::string& spec) { return parse(spec, nullptr); }

std::vector<std::string> split_faults(const std::string& spec) {
    std::vector<std::string> faults;
    for (Text rest = text_of(spec), fault; !(fault = next_fault(rest)).empty();) {
        faults.push_back(without_comments(fault));
    }
    return faults;
}

std::string range_text(uint64_t first, uint64_t last) {
    return first == last ? std::to_string(first) : fmt::format("{} to {}", first, last);
}

std::string rank_list(const Fault& fault) {
    std::vector<std::string> ranges;
    for (int i = 0; i < fault.rank_count; ++i) {
        const RankRange& range = fault.ranks[i];
        ranges.push_back(range_text(static_cast<uint64_t>(range.first), static_cast<uint64_t>(range.last)));
    }
    return fmt::format("{}", fmt::join(ranges, ", "));
}

std::string join_specs(const std::vector<std::string>& specs) {
    std::string joined;
    for (const std::string& spec : specs) {
        if (!joined.empty())
            joined += joined.find('#') == std::string::npos ? "; " : "\n; ";  // a comment ends with its line
        joined += spec;
    }
    return joined;
}

Resolved resolve_gpus(const std::string& spec, const Machine& machine) {
    Resolved resolved;
    size_t copied = 0;
    for (const Text word : gpu_words(spec)) {
        GpuSelector selector;
        if (!parse_gpu(word, selector)) continue;
        check_ordinal(spec, word, selector, machine);
        if (!can_resolve(selector, machine)) continue;
        if (!machine.known) {
            if (selector.kind == GpuKind::index && resolved.unresolved.empty()) resolved.unresolved = string_of(word);
            continue;
        }
        const auto position = static_cast<size_t>(word.data - spec.data());
        resolved.spec += spec.substr(copied, position - copied) + uuids_of(spec, word, selector, machine);
        copied = position + word.size;
    }
    resolved.spec += spec.substr(copied);
    if (resolved.spec.size() > kMaxSpec) {
        throw Error(
            kUsage,
            fmt::format("the plan is longer than {} bytes after its GPUs are replaced with UUIDs: name fewer GPUs",
                        kMaxSpec));
    }
    return resolved;
}

std::vector<std::string> plan_notes(const Plan& plan, const Resolved& resolved, const TargetVariables& variables) {
    std::vector<std::string> notes = target_notes(plan, variables);
    if (!resolved.unresolved.empty()) {
        notes.push_back(fmt::format(
            "NVML is not available, so gpu={} cannot be resolved and selects GPU {} in each process's own numbering",
            resolved.unresolved, resolved.unresolved));
    }
    return notes;
}

}  // namespace cudafault::local
