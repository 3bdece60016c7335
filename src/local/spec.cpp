// SPDX-License-Identifier: Apache-2.0
#include "local/spec.hpp"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>

#include "fault/message.hpp"
#include "fault/values.hpp"
#include "fault/words.hpp"

namespace cudafault::local {

namespace {

constexpr size_t kContext = 60;  // characters shown on either side of the place

// The spec around the place, and a line that points at it.
std::string pointer(const std::string& spec, size_t position, size_t length) {
    const size_t start = position > kContext ? position - kContext : 0;
    const size_t end = std::min(spec.size(), position + kContext);
    std::string shown = spec.substr(start, end - start);
    for (char& c : shown) {
        if (c < ' ' || c > '~') c = is_separator(c) ? ' ' : '?';
    }
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

// GPUs are numbered on the machine, so `local:` and `all` mean what they say and MIG devices are in no list.
bool same_pci(const std::string& listed, uint32_t number) {
    GpuSelector selector;
    return parse_gpu(text_of(listed), selector) && selector.kind == GpuKind::pci && selector.number == number;
}

const Gpu* find_gpu(const Machine& machine, const GpuSelector& selector, const std::string& word) {
    const auto found = std::find_if(machine.gpus.begin(), machine.gpus.end(), [&](const Gpu& gpu) {
        switch (selector.kind) {
            case GpuKind::index: return gpu.index == static_cast<int>(selector.number);
            case GpuKind::pci: return same_pci(gpu.pci, selector.number);
            default: return strcasecmp(gpu.uuid.c_str(), word.c_str()) == 0;
        }
    });
    return found == machine.gpus.end() ? nullptr : &*found;
}

std::string what_is_there(const Machine& machine) {
    if (machine.gpus.empty()) return "there is no GPU";
    const size_t last = machine.gpus.size() - 1;
    const std::string indices = last == 0 ? "0" : fmt::format("0 to {}", last);
    return fmt::format("expected {}, or the UUID or PCI id of one of these, such as {} or {}", indices,
                       machine.gpus[last].uuid, machine.gpus[last].pci);
}

[[noreturn]] void refuse_gpu(const std::string& spec, Text word, const Machine& machine) {
    SpecError error{static_cast<size_t>(word.data - spec.data()), word.size, ""};
    Message message(error.message);
    message.add("gpu= has ");
    message.add(Quoted{word});
    message.add(machine.simulated ? ", which the simulated machine has not: " : ", which this machine has not: ");
    message.add(text_of(what_is_there(machine)));
    throw SpecRefused(spec, error);
}

// The words of the gpu= lists of a spec.
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

bool belongs_to_a_list(const GpuSelector& selector, Text word) {
    return selector.kind != GpuKind::local && !starts_with(word, "MIG-");
}

}  // namespace

SpecRefused::SpecRefused(const std::string& spec_text, const SpecError& error)
    : Error(kUsage, refusal(spec_text, error)),
      spec(spec_text),
      message(error.message),
      column(error.position + 1),
      length(error.length) {}

std::unique_ptr<Plan> parse_spec(const std::string& spec) {
    auto plan = std::make_unique<Plan>();
    SpecError error{};
    if (!parse_plan(text_of(spec), *plan, error)) throw SpecRefused(spec, error);
    return plan;
}

std::vector<std::string> split_faults(const std::string& spec) {
    std::vector<std::string> faults;
    for (Text rest = text_of(spec), fault; !(fault = next_fault(rest)).empty();) {
        const std::string text = string_of(fault);
        const size_t first = text.find_first_not_of(" ,\t\r\n"), last = text.find_last_not_of(" ,\t\r\n");
        faults.push_back(text.substr(first, last - first + 1));
    }
    return faults;
}

Resolved resolve_gpus(const std::string& spec, const Machine& machine) {
    Resolved resolved;
    size_t copied = 0;
    for (const Text word : gpu_words(spec)) {
        GpuSelector selector;
        if (!parse_gpu(word, selector) || !belongs_to_a_list(selector, word)) continue;
        if (!machine.known) {
            if (selector.kind == GpuKind::index && resolved.unresolved.empty()) resolved.unresolved = string_of(word);
            continue;
        }
        const Gpu* gpu = find_gpu(machine, selector, string_of(word));
        if (!gpu) refuse_gpu(spec, word, machine);
        const auto position = static_cast<size_t>(word.data - spec.data());
        resolved.spec += spec.substr(copied, position - copied) + gpu->uuid;
        copied = position + word.size;
    }
    resolved.spec += spec.substr(copied);
    if (resolved.spec.size() > kMaxSpec) {
        throw Error(kUsage,
                    fmt::format("the plan is longer than {} bytes once its GPUs are UUIDs: name fewer", kMaxSpec));
    }
    return resolved;
}

}  // namespace cudafault::local
