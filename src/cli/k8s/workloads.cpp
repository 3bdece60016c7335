// SPDX-License-Identifier: Apache-2.0
#include "cli/k8s/workloads.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kube/api/client/client.hpp"
#include "kube/api/client/discovery.hpp"
#include "kube/api/common/error.hpp"
#include "kube/object/path.hpp"
#include "local/error.hpp"

namespace cudafault::cli {

namespace {

bool has_slash(const std::string& word) { return word.find('/') != std::string::npos; }

[[noreturn]] void refuse(const std::string& word) {
    throw local::Error(local::kUsage,
                       fmt::format("invalid workload \"{}\": expected KIND/NAME such as deployment/web", word));
}

kube::WorkloadChoice choice_of(const std::string& kind, const std::string& name, const std::string& in_namespace) {
    kube::WorkloadChoice choice;
    choice.kind = kind;
    choice.name = name;
    choice.in_namespace = in_namespace;
    return choice;
}

kube::WorkloadChoice parse_pair(const std::string& word, const std::string& in_namespace) {
    const size_t slash = word.find('/');
    if (slash == 0 || slash + 1 == word.size() || word.find('/', slash + 1) != std::string::npos) refuse(word);
    return choice_of(word.substr(0, slash), word.substr(slash + 1), in_namespace);
}

}  // namespace

bool WorkloadArguments::is_single() const {
    return labels.empty() && (words.size() == 1 || (words.size() == 2 && !has_slash(words[0])));
}

void WorkloadArguments::check() const {
    if (is_required && empty())
        throw local::Error(local::kUsage, "missing workload: expected KIND/NAME such as deployment/web");
    if (labels.empty()) {
        parse_workloads(words, "");
    } else if (words.size() != 1 || has_slash(words[0])) {
        throw local::Error(local::kUsage, "invalid use of -l: expected one kind, such as `deployment -l app=web`");
    }
}

void add_workload_arguments(CLI::App& verb, WorkloadArguments& arguments, const std::string& description,
                            bool is_required) {
    arguments.is_required = is_required;
    verb.add_option("workloads", arguments.words, description)
        ->option_text(is_required ? "WORKLOAD..." : "[WORKLOAD...]");
    verb.add_option("-l,--selector", arguments.labels, "Workloads with these labels: `deployment -l app=web`")
        ->type_name("LABELS");
}

std::vector<kube::WorkloadChoice> parse_workloads(const std::vector<std::string>& words,
                                                  const std::string& in_namespace) {
    std::vector<kube::WorkloadChoice> choices;
    if (words.empty()) return choices;
    const auto slashes = std::count_if(words.begin(), words.end(), has_slash);
    if (slashes > 0) {
        for (const std::string& word : words) {
            if (!has_slash(word)) refuse(word);
            choices.push_back(parse_pair(word, in_namespace));
        }
        return choices;
    }
    if (std::find(words.begin(), words.end(), "") != words.end()) refuse("");
    if (words.size() == 1) return {choice_of("", words[0], in_namespace)};
    for (size_t i = 1; i < words.size(); ++i) choices.push_back(choice_of(words[0], words[i], in_namespace));
    return choices;
}

std::vector<kube::WorkloadChoice> find_workloads(kube::Client& client, kube::Discovery& discovery,
                                                 const WorkloadArguments& arguments, const std::string& in_namespace) {
    if (arguments.labels.empty()) return parse_workloads(arguments.words, in_namespace);
    arguments.check();
    const kube::Resource resource = discovery.resolve(arguments.words[0]);
    kube::ListOptions options;
    options.label_selector = arguments.labels;
    options.metadata_only = true;
    std::vector<kube::WorkloadChoice> choices;
    client.list({resource, in_namespace}, options, [&](const kube::Page& page) {
        if (page.is_first) choices.clear();
        for (const kube::Json& item : page.items) {
            choices.push_back(choice_of(resource.qualified(), kube::text_at(item, {"metadata", "name"}), in_namespace));
        }
    });
    if (choices.empty()) {
        throw kube::Error(fmt::format("no {} in namespace {} match the labels \"{}\"", resource.qualified(),
                                      in_namespace, arguments.labels));
    }
    return choices;
}

}  // namespace cudafault::cli
