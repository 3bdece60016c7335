// SPDX-License-Identifier: Apache-2.0
#include "local/no_fire.hpp"

#include <elf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>

#include "local/spec.hpp"
#include "local/target_variables.hpp"
#include "os/plural.hpp"

namespace cudafault::local {

namespace {

using nlohmann::json;

constexpr size_t kShownPrograms = 5;

uint64_t fired_in(const json& plan) {
    uint64_t fired = 0;
    for (const json& fault : plan.at("faults")) fired += fault.at("fired").get<uint64_t>();
    return fired;
}

const json& current_plan(const json& report) { return report.at("evidence").at("plan"); }

// Returns the plan that was armed last, or nullptr if the report contains only the sums of dropped plans.
const json* last_plan(const json& report) {
    if (current_plan(report).at("state") == "armed") return &current_plan(report);
    const json& history = report.at("history");
    return history.empty() ? nullptr : &history.back();
}

std::string program_text(const json& process) {
    const std::string program = process.at("program"), script = process.at("script");
    return script.empty() ? program : program + " " + script;
}

std::string programs_text(const json& processes) {
    std::set<std::string> programs;
    for (const json& process : processes) programs.insert(program_text(process));
    std::vector<std::string> shown(programs.begin(), programs.end());
    const size_t hidden = shown.size() > kShownPrograms ? shown.size() - kShownPrograms : 0;
    shown.resize(shown.size() - hidden);
    return fmt::format("{}{}", fmt::join(shown, ", "), hidden > 0 ? fmt::format(" and {} more", hidden) : "");
}

bool is_program(const Fault& fault, const json& process) {
    const std::string program = process.at("program"), script = process.at("script");
    const Text glob(fault.process);
    return glob_match(glob, text_of(program)) || (!script.empty() && glob_match(glob, text_of(script)));
}

bool has_rank(const Fault& fault, const json& process) {
    return !process.at("rank").is_null() && is_rank_selected(fault, process.at("rank").get<int>());
}

template <typename Predicate>
bool none_of(const json& processes, Predicate is_selected) {
    return std::none_of(processes.begin(), processes.end(), is_selected);
}

// Returns the reason why the fault selects none of the processes. Returns an empty text if the fault selects a process.
std::string reason_no_process(const Fault& fault, const json& processes, const TargetVariables& variables) {
    if (const std::string reason = reason_not_selected(fault, variables); !reason.empty()) return reason;
    if (*fault.process && none_of(processes, [&](const json& each) { return is_program(fault, each); })) {
        return fmt::format("no process matches process={}; the processes were: {}", fault.process,
                           programs_text(processes));
    }
    if (fault.rank_count > 0 && none_of(processes, [&](const json& each) { return has_rank(fault, each); })) {
        return fmt::format("no process has rank {}", rank_list(fault));
    }
    return "";
}

std::string reason_of(const Fault& fault, const json& counts, const json& processes, const TargetVariables& variables) {
    const auto matched = counts.at("matched").get<uint64_t>();
    const auto on_other_gpu = counts.at("on_other_gpu").get<uint64_t>();
    if (matched > 0) {
        return fmt::format("{} matched, but the schedule (after=, every=, probability=, mtbf=) selected none",
                           plural(matched, "call"));
    }
    if (on_other_gpu > 0) {
        return fmt::format("{} of functions that calls= selects {} on GPUs that gpu= does not select",
                           plural(on_other_gpu, "call"), on_other_gpu == 1 ? "was" : "were");
    }
    if (const std::string reason = reason_no_process(fault, processes, variables); !reason.empty()) return reason;
    if (counts.at("expired").get<bool>()) return "for= or until= had ended before a call matched";
    return "the processes made CUDA calls, but no call of a function that calls= selects while the plan was armed";
}

std::string reason_of_plan(const json& shown, const json& processes, const TargetVariables& variables) {
    const auto plan = parse_armed_spec(shown.at("resolved"));
    const json& faults = shown.at("faults");
    std::vector<std::string> reasons;
    for (int i = 0; i < plan->count && static_cast<size_t>(i) < faults.size(); ++i) {
        const std::string reason = reason_of(plan->faults[i], faults[static_cast<size_t>(i)], processes, variables);
        reasons.push_back(plan->count > 1 ? fmt::format("fault {}: {}", i, reason) : reason);
    }
    return fmt::format("{}", fmt::join(reasons, "; "));
}

std::optional<std::filesystem::path> find_program(const std::string& command) {
    if (command.find('/') != std::string::npos) return command;
    const char* path = std::getenv("PATH");
    std::istringstream folders(path ? path : "/bin:/usr/bin");
    for (std::string folder; std::getline(folders, folder, ':');) {
        const auto file = std::filesystem::path(folder.empty() ? "." : folder) / command;
        if (access(file.c_str(), X_OK) == 0) return file;
    }
    return std::nullopt;
}

}  // namespace

uint64_t count_fired(const json& report) {
    uint64_t fired = fired_in(current_plan(report)) + report.at("history_dropped").at("fired").get<uint64_t>();
    for (const json& plan : report.at("history")) fired += fired_in(plan);
    return fired;
}

bool has_been_armed(const json& report) {
    return last_plan(report) || report.at("history_dropped").at("plans").get<uint64_t>() > 0;
}

std::string reason_for_no_fire(const json& report, bool library_was_loaded) {
    const std::string command = report.at("command").at(0);
    if (!library_was_loaded) {
        return is_static_program(command)
                   ? fmt::format(
                         "\"{}\" is statically linked, so the fault library cannot be loaded into it: link it "
                         "dynamically",
                         command)
                   : "no process loaded the fault library: the program is statically linked, LD_PRELOAD was removed "
                     "from its environment (tox, sudo, env -i), or the program ended before its libraries were "
                     "initialized (AddressSanitizer does this unless ASAN_OPTIONS has verify_asan_link_order=0)";
    }
    const json& processes = report.at("evidence").at("processes");
    if (processes.empty()) {
        return "no process of the run made a CUDA call that the fault library intercepted; a process that cannot join "
               "the run prints the reason on standard error";
    }
    const json* plan = last_plan(report);
    const auto variables = report.value("target_variables", TargetVariables{});
    return plan ? reason_of_plan(*plan, processes, variables) : "no call matched a plan";
}

bool is_static_program(const std::string& command) {
    const auto path = find_program(command);
    if (!path) return false;
    std::ifstream file(*path, std::ios::binary);
    Elf64_Ehdr header{};
    if (!file.read(reinterpret_cast<char*>(&header), sizeof header)) return false;
    if (!std::equal(header.e_ident, header.e_ident + SELFMAG, ELFMAG) || header.e_ident[EI_CLASS] != ELFCLASS64) {
        return false;
    }
    for (int i = 0; i < header.e_phnum; ++i) {
        Elf64_Phdr segment{};
        file.seekg(static_cast<std::streamoff>(header.e_phoff + sizeof segment * static_cast<size_t>(i)));
        if (!file.read(reinterpret_cast<char*>(&segment), sizeof segment)) return false;
        if (segment.p_type == PT_INTERP) return false;
    }
    return true;
}

}  // namespace cudafault::local
