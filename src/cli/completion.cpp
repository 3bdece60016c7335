// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "cli/k8s/cluster.hpp"
#include "cli/k8s/workload_completion.hpp"

namespace cudafault::cli {

namespace {

constexpr const char* kBash = R"(# bash completion for cudafault; load it with: source <(cudafault completion bash)
_cudafault() {
    local words
    words=$("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}")
    if [[ "${COMPREPLY[0]-}" == */ ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -o default -F _cudafault cudafault
)";

constexpr const char* kCompletionExamples = R"(Examples:
  source <(cudafault completion bash)
  cudafault completion bash > /etc/bash_completion.d/cudafault)";

CLI::App* subcommand_named(CLI::App& app, const std::string& name) {
    for (CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; })) {
        if (each->get_name() == name) return each;
    }
    return nullptr;
}

}  // namespace

void add_completion(CLI::App& app) {
    CLI::App* verb = app.add_subcommand("completion", "Print a script that completes commands in a shell");
    const auto shell = std::make_shared<std::string>();
    verb->add_option("shell", *shell, "The shell: bash")
        ->option_text("SHELL")
        ->required()
        ->check(CLI::IsMember({"bash"}));
    verb->footer(kCompletionExamples);
    verb->callback([] { fmt::print("{}", kBash); });
}

std::vector<std::string> completions(CLI::App& app, const std::vector<std::string>& words) {
    CLI::App* command = &app;
    const std::string last = words.empty() ? "" : words.back();
    size_t first_argument = 0;
    for (size_t i = 0; i + 1 < words.size(); ++i) {
        CLI::App* next = subcommand_named(*command, words[i]);
        if (!next) continue;
        command = next;
        first_argument = i + 1;
        if (command->get_name() == "k8s") add_k8s_verbs(*command);
    }
    std::vector<std::string> found;
    const auto add_match = [&](const std::string& word) {
        if (word.starts_with(last)) found.push_back(word);
    };
    if (!last.starts_with('-')) {
        for (const CLI::App* each : command->get_subcommands([](const CLI::App*) { return true; })) {
            add_match(each->get_name());
        }
        const auto first = words.begin() + static_cast<ptrdiff_t>(std::min(first_argument, words.size()));
        const std::vector<std::string> arguments(first, words.end());
        const std::vector<std::string> workloads = complete_workloads(*command, arguments);
        found.insert(found.end(), workloads.begin(), workloads.end());
        return found;
    }
    for (const CLI::Option* option : command->get_options()) {
        for (const std::string& name : option->get_lnames()) add_match("--" + name);
    }
    return found;
}

}  // namespace cudafault::cli
