// SPDX-License-Identifier: Apache-2.0
#include "cli/explain.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>

#include "cli/output.hpp"
#include "fault/xids.hpp"
#include "local/spec.hpp"
#include "os/plural.hpp"
#include "os/timestamp.hpp"

namespace cudafault::cli {

namespace {

using nlohmann::json;

constexpr const char* kApiNames[] = {"driver", "runtime", "NVML", "NCCL"};
constexpr size_t kApis = std::size(kApiNames);

size_t api_of(int row) { return static_cast<size_t>(kFunctions[row].api); }

// Returns the names of the fault's code in the APIs of its functions.
std::vector<std::string> names_of_code(const Fault& fault) {
    std::vector<std::string> names;
    for (const Api api : {Api::driver, Api::runtime, Api::nvml, Api::nccl}) {
        const ErrorName* error = error_of(api, fault.code);
        bool possible = false;
        for (int row = 0; row < kFunctionCount; ++row) possible |= fault.calls.has(row) && kFunctions[row].api == api;
        if (error && possible) names.emplace_back(error->name);
    }
    return names;
}

std::string code_text(const Fault& fault) {
    const std::vector<std::string> names = names_of_code(fault);
    return names.empty() ? std::to_string(fault.code) : fmt::format("{} ({})", fault.code, fmt::join(names, ", "));
}

std::string signal_text(uint64_t number) {
    const char* name = sigabbrev_np(static_cast<int>(number));
    return name ? fmt::format("SIG{} ({})", name, number) : fmt::format("signal {}", number);
}

std::string effect_text(const Fault& fault) {
    const Xid* xid = fault.xid ? find_xid(fault.xid) : nullptr;
    const std::string cause = xid ? fmt::format("XID {}, {}: ", xid->number, xid->title) : "";
    switch (fault.effect) {
        case Effect::error: return fmt::format("{}the call does nothing and returns {}", cause, code_text(fault));
        case Effect::delay:
            return fmt::format("{}the call is made, but {} later", cause, duration_text(fault.effect_value));
        case Effect::hang: return cause + "the call blocks until the fault is disarmed; then the call is made";
        case Effect::exit:
            return fmt::format("{}the process exits immediately with exit code {}", cause, fault.effect_value);
        case Effect::signal: break;
    }
    return fmt::format("{}the process receives {}", cause, signal_text(fault.effect_value));
}

bool has_default_calls(const Fault& fault) {
    for (int row = 0; row < kFunctionCount; ++row) {
        if (fault.calls.has(row) != kFunctions[row].simple_fails) return false;
    }
    return true;
}

// Returns the rows of the fault's functions. If several versions of libcudart export a name, returns its first row
// only.
std::vector<int> distinct_rows(const Fault& fault) {
    std::vector<int> rows;
    for (int row = 0; row < kFunctionCount; ++row) {
        if (!fault.calls.has(row)) continue;
        if (rows.empty() || function_name(rows.back()) != function_name(row)) rows.push_back(row);
    }
    return rows;
}

std::vector<std::string> counts_by_api(const Fault& fault) {
    uint64_t counts[kApis] = {};
    for (const int row : distinct_rows(fault)) ++counts[api_of(row)];
    std::vector<std::string> texts;
    for (size_t api = 0; api < kApis; ++api) {
        if (counts[api] > 0) texts.push_back(fmt::format("{} {}", counts[api], kApiNames[api]));
    }
    return texts;
}

json counts_by_class(const Fault& fault) {
    json counts = json::object();
    for (const int row : distinct_rows(fault)) {
        json& count = counts[class_name(kFunctions[row].call_class)];
        count = count.is_null() ? 1 : count.get<int>() + 1;
    }
    return counts;
}

std::vector<std::string> names_of(const std::vector<int>& rows) {
    std::vector<std::string> names;
    names.reserve(rows.size());
    for (const int row : rows) names.push_back(local::string_of(function_name(row)));
    return names;
}

std::vector<std::string> function_names(const Fault& fault) { return names_of(distinct_rows(fault)); }

// Describes the driver calls of the fault that are not counted if a shared libcudart makes them.
std::string nested_calls(const Fault& fault) {
    std::vector<std::string> classes;
    for (int i = 0; i < kCallClasses; ++i) {
        const auto is_ignored = [&](int row) {
            return kFunctions[row].api == Api::driver && static_cast<int>(kFunctions[row].call_class) == i &&
                   !is_inner_call_counted(fault, row);
        };
        const std::vector<int> rows = distinct_rows(fault);
        if (std::any_of(rows.begin(), rows.end(), is_ignored)) {
            classes.push_back(fmt::format("@{}", class_name(static_cast<CallClass>(i))));
        }
    }
    if (classes.empty()) return "";
    return fmt::format("; driver calls of {} inside a shared libcudart do not count, since the runtime call does",
                       fmt::join(classes, ", "));
}

std::string calls_text(const Fault& fault) {
    constexpr size_t kShown = 6;
    const std::vector<std::string> names = function_names(fault);
    const std::string by_api = fmt::format("{}", fmt::join(counts_by_api(fault), ", "));
    if (has_default_calls(fault)) {
        return fmt::format(
            "the {} functions that fail by default ({}); driver calls inside a shared libcudart do not count, since "
            "the runtime call does",
            names.size(), by_api);
    }
    const std::string nested = nested_calls(fault);
    if (names.size() <= kShown) return fmt::format("{}{}", fmt::join(names, ", "), nested);
    std::vector<std::string> classes;
    const json counts = counts_by_class(fault);
    for (const auto& [name, count] : counts.items()) classes.push_back(fmt::format("@{} {}", name, count.get<int>()));
    return fmt::format("{} functions ({}; {}){}", names.size(), by_api, fmt::join(classes, ", "), nested);
}

std::string uuid_text(const GpuSelector& gpu) {
    std::string text;
    for (int i = 0; i < gpu.uuid_digits; ++i) {
        const bool group_starts = i == 8 || i == 12 || i == 16 || i == 20;
        text += fmt::format("{}{:x}", group_starts ? "-" : "", gpu.uuid[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15);
    }
    return text;
}

std::string pci_text(const GpuSelector& gpu) {
    return fmt::format("{:04x}:{:02x}:{:02x}.0", gpu.number >> 16, gpu.number >> 8 & 0xff, gpu.number & 0xff);
}

std::string gpu_text(const GpuSelector& gpu) {
    switch (gpu.kind) {
        case GpuKind::index:
            return fmt::format("GPU {} in the numbering of nvidia-smi", local::range_text(gpu.number, gpu.last));
        case GpuKind::local:
            return fmt::format("GPU {} in the process's own numbering", local::range_text(gpu.number, gpu.last));
        case GpuKind::uuid:
            return fmt::format("the {} {} {}", gpu.is_mig ? "MIG device" : "GPU",
                               gpu.uuid_digits < kUuidDigits ? "whose UUID starts with" : "with UUID", uuid_text(gpu));
        case GpuKind::pci: break;
    }
    return fmt::format("the GPU with PCI id {}", pci_text(gpu));
}

json gpu_json(const GpuSelector& gpu) {
    switch (gpu.kind) {
        case GpuKind::index: return {{"kind", "index"}, {"value", gpu.number}, {"last", gpu.last}};
        case GpuKind::local: return {{"kind", "local"}, {"value", gpu.number}, {"last", gpu.last}};
        case GpuKind::uuid: return {{"kind", "uuid"}, {"value", uuid_text(gpu)}};
        case GpuKind::pci: break;
    }
    return {{"kind", "pci"}, {"value", pci_text(gpu)}};
}

// Returns the fault's functions whose GPU is determined by `device`.
std::vector<int> rows_with_gpu_from(const Fault& fault, DeviceFrom device) {
    std::vector<int> rows = distinct_rows(fault);
    const auto differs = [&](int row) { return kFunctions[row].device != device; };
    rows.erase(std::remove_if(rows.begin(), rows.end(), differs), rows.end());
    // cuInit and the device counts are first, because they are the best known.
    std::stable_partition(rows.begin(), rows.end(), [](int row) { return kFunctions[row].hook == Hook::enumerate; });
    return rows;
}

constexpr size_t kShownCalls = 6;

std::string calls_without_gpu(const Fault& fault) {
    std::vector<std::string> names = names_of(rows_with_gpu_from(fault, DeviceFrom::none));
    if (names.empty()) return "";
    const size_t count = names.size();
    const bool is_all = count == distinct_rows(fault).size();
    if (count > kShownCalls) names.resize(kShownCalls);
    return fmt::format("; {}{}{} not concern a single GPU and fail{} only in a process with no other visible GPU",
                       is_all ? "" : "of the calls, ", fmt::join(names, ", "),
                       count > kShownCalls ? fmt::format(" and {} more do", count - kShownCalls)
                       : count == 1        ? " does"
                                           : " do",
                       count == 1 ? "s" : "");
}

std::string calls_of_current_context(const Fault& fault) {
    std::vector<std::string> names = names_of(rows_with_gpu_from(fault, DeviceFrom::unread));
    if (names.empty()) return "";
    const size_t count = names.size();
    if (count > kShownCalls) names.resize(kShownCalls);
    return fmt::format("; gpu= uses the GPU of the current context for {}{}, not the GPU in the arguments",
                       fmt::join(names, ", "),
                       count > kShownCalls ? fmt::format(" and {} more", count - kShownCalls) : "");
}

std::string gpus_text(const Fault& fault) {
    if (fault.gpu_count == 0) return "all";
    std::vector<std::string> texts;
    texts.reserve(static_cast<size_t>(fault.gpu_count));
    for (int i = 0; i < fault.gpu_count; ++i) texts.push_back(gpu_text(fault.gpus[i]));
    return fmt::format("{}{}{}", fmt::join(texts, ", "), calls_without_gpu(fault), calls_of_current_context(fault));
}

double probability_of(const Fault& fault) {
    return fault.probability == kAlways ? 1.0 : std::ldexp(static_cast<double>(fault.probability), -64);
}

std::string schedule_text(const Fault& fault) {
    std::vector<std::string> texts;
    if (fault.after_calls > 0)
        texts.push_back(fmt::format("after the first {}", plural(fault.after_calls, "matched call")));
    if (fault.after_ns > 0)
        texts.push_back(fmt::format("not in the first {} after arming", duration_text(fault.after_ns)));
    if (fault.mtbf_ns > 0) {
        texts.push_back(
            fmt::format("at random times, on average every {} (seed {})", duration_text(fault.mtbf_ns), fault.seed));
    } else {
        texts.push_back(fault.every == 1 ? "each matched call" : fmt::format("one in {} matched calls", fault.every));
    }
    if (fault.probability != kAlways) {
        texts.push_back(
            fmt::format("each of these with probability {:g} (seed {})", probability_of(fault), fault.seed));
    }
    if (fault.sticky) texts.emplace_back("after the fault has fired, every further matched call");
    if (fault.breaks_context)
        texts.emplace_back("after the fault has fired in a process, every further call on the broken context");
    if (fault.times != kForever) texts.push_back(fmt::format("at most {}", plural(fault.times, "failure")));
    return fmt::format("{}", fmt::join(texts, "; "));
}

std::string window_text(const Fault& fault) {
    std::vector<std::string> texts;
    if (fault.window_ns != kForever) {
        const bool has_after = fault.after_calls > 0 || fault.after_ns > 0;
        texts.push_back(
            fmt::format("{} after {}", duration_text(fault.window_ns), has_after ? "the end of after=" : "arming"));
    }
    if (fault.until_ns != kForever) texts.push_back(utc_text(fault.until_ns));
    return texts.empty() ? "it is disarmed" : fmt::format("{}, or it is disarmed", fmt::join(texts, " or "));
}

std::string ranks_text(const Fault& fault) {
    const bool is_one = fault.rank_count == 1 && fault.ranks[0].first == fault.ranks[0].last;
    return fmt::format("{} {}", is_one ? "rank" : "ranks", local::rank_list(fault));
}

// Returns a number for a single rank, and otherwise a list of ranges.
json ranks_json(const Fault& fault) {
    if (fault.rank_count == 0) return {};
    if (fault.rank_count == 1 && fault.ranks[0].first == fault.ranks[0].last) return fault.ranks[0].first;
    json list = json::array();
    for (int i = 0; i < fault.rank_count; ++i) list.push_back({fault.ranks[i].first, fault.ranks[i].last});
    return list;
}

std::string processes_text(const Fault& fault) {
    std::vector<std::string> texts;
    if (fault.process[0]) texts.push_back(fmt::format("programs called {}", fault.process));
    if (fault.rank_count > 0) texts.push_back(ranks_text(fault));
    if (fault.node[0]) texts.push_back(fmt::format("node {}", fault.node));
    if (fault.pod[0]) texts.push_back(fmt::format("pods called {}", fault.pod));
    if (texts.empty()) texts.emplace_back("every process");
    return fmt::format(
        "{}; {}", fmt::join(texts, ", "),
        fault.scope == Scope::run ? "all processes of the run count together" : "each process counts its own calls");
}

json gpus_json(const Fault& fault) {
    if (fault.gpu_count == 0) return "all";
    json list = json::array();
    for (int i = 0; i < fault.gpu_count; ++i) list.push_back(gpu_json(fault.gpus[i]));
    return list;
}

json effect_json(const Fault& fault) {
    const char* kind = effect_name(fault.effect);
    switch (fault.effect) {
        case Effect::error: return {{"kind", kind}, {"code", fault.code}, {"names", names_of_code(fault)}};
        case Effect::delay: return {{"kind", kind}, {"ns", fault.effect_value}};
        case Effect::hang: return {{"kind", kind}};
        case Effect::exit: return {{"kind", kind}, {"code", fault.effect_value}};
        case Effect::signal: break;
    }
    return {{"kind", kind}, {"signal", fault.effect_value}};
}

json number_or_null(uint64_t value, uint64_t none) { return value == none ? json() : json(value); }

json glob_or_null(const char* glob) { return *glob ? json(glob) : json(); }

}  // namespace

std::vector<Line> explain(const Fault& fault) {
    return {{"what", effect_text(fault)},   {"calls", calls_text(fault)},  {"GPU", gpus_text(fault)},
            {"when", schedule_text(fault)}, {"until", window_text(fault)}, {"where", processes_text(fault)}};
}

json fault_json(const Fault& fault) {
    const std::vector<std::string> names = function_names(fault);
    return {
        {"xid", number_or_null(fault.xid, 0)},
        {"effect", effect_json(fault)},
        {"calls",
         {{"default", has_default_calls(fault)},
          {"names_runtime", fault.runtime_classes != 0},
          {"classes", counts_by_class(fault)},
          {"functions", names}}},
        {"gpus", gpus_json(fault)},
        {"after_calls", fault.after_calls},
        {"after_ns", fault.after_ns},
        {"every", fault.every},
        {"probability", probability_of(fault)},
        {"mtbf_ns", number_or_null(fault.mtbf_ns, 0)},
        {"seed", fault.seed},
        {"sticky", fault.sticky},
        {"breaks_context", fault.breaks_context},
        {"times", number_or_null(fault.times, kForever)},
        {"for_ns", number_or_null(fault.window_ns, kForever)},
        {"until", fault.until_ns == kForever ? json() : json(utc_text(fault.until_ns))},
        {"process", glob_or_null(fault.process)},
        {"rank", ranks_json(fault)},
        {"node", glob_or_null(fault.node)},
        {"pod", glob_or_null(fault.pod)},
        {"scope", fault.scope == Scope::run ? "run" : "process"},
    };
}

}  // namespace cudafault::cli
