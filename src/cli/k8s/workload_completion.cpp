// SPDX-License-Identifier: Apache-2.0
#include "cli/k8s/workload_completion.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "cli/k8s/cluster.hpp"
#include "kube/object/path.hpp"
#include "kube/workload/kinds.hpp"

namespace cudafault::cli {

namespace {

constexpr const char* kTimeout = "2s";

struct ClassifiedWords {
    std::vector<std::string> workloads;   // the words that are not options or their values
    std::vector<std::string> connection;  // the options that add_cluster_options() adds
};

bool has_workload_arguments(const CLI::App& verb) {
    return verb.get_option_no_throw("workloads") || verb.get_option_no_throw("words");
}

// Parses the connection options with a verb that has no other options.
class ConnectionParser {
public:
    ConnectionParser() { add_cluster_options(*verb_, options_); }

    bool has(const std::string& option) const { return verb_->get_option_no_throw(option) != nullptr; }

    ClusterOptions parse(std::vector<std::string> words) {
        std::reverse(words.begin(), words.end());  // the order that CLI11 expects
        words.emplace_back("verb");
        words.emplace_back("k8s");
        app_.parse(words);
        options_.timeout = kTimeout;
        return options_;
    }

private:
    CLI::App app_;
    CLI::App* verb_ = app_.add_subcommand("k8s")->add_subcommand("verb");
    ClusterOptions options_;
};

// Finds the workloads and the connection options in the words before the last one. Returns std::nullopt if the last
// word is the value of an option.
std::optional<ClassifiedWords> classify_words(const CLI::App& verb, const ConnectionParser& parser,
                                              const std::vector<std::string>& words) {
    ClassifiedWords classified;
    for (size_t i = 0; i + 1 < words.size(); ++i) {
        const std::string& word = words[i];
        if (!word.starts_with('-')) {
            classified.workloads.push_back(word);
            continue;
        }
        const std::string name = word.substr(0, word.find('='));
        const CLI::Option* option = verb.get_option_no_throw(name);
        if (!option || option->get_items_expected_max() == 0) continue;
        const bool is_connection_option = parser.has(name);
        if (is_connection_option) classified.connection.push_back(word);
        if (name != word) continue;
        if (++i + 1 == words.size()) return {};
        if (is_connection_option) classified.connection.push_back(words[i]);
    }
    return classified;
}

std::vector<std::string> kind_words() {
    std::set<std::string> words;
    for (const kube::Kind& kind : kube::kinds()) {
        if (!kind.is_cluster_scoped) words.insert(kube::Resource::of_kind("v1", kind.kind).kubectl_kind() + "/");
    }
    return {words.begin(), words.end()};
}

std::vector<std::string> names_of_kind(ClusterAccess& access, const std::string& kind, const std::string& prefix) {
    std::vector<std::string> found;
    kube::ListOptions options;
    options.metadata_only = true;
    access.client.list({access.discovery.resolve(kind), access.in_namespace}, options, [&](const kube::Page& page) {
        if (page.is_first) found.clear();
        for (const kube::Json& item : page.items) found.push_back(prefix + kube::text_at(item, {"metadata", "name"}));
    });
    return found;
}

// Returns false for words with characters that a shell could expand: bash's compgen expands each word that it offers.
bool is_plain(const std::string& word) {
    constexpr const char* kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:/";
    return word.find_first_not_of(kPlain) == std::string::npos;
}

std::vector<std::string> candidates(ConnectionParser& parser, const ClassifiedWords& classified,
                                    const std::string& last) {
    const auto is_pair = [](const std::string& word) { return word.find('/') != std::string::npos; };
    const bool follows_kind = !classified.workloads.empty() && !is_pair(classified.workloads.front());
    if (!is_pair(last) && !follows_kind) return kind_words();
    ClusterAccess access(parser.parse(classified.connection));
    if (!is_pair(last)) return names_of_kind(access, classified.workloads.front(), "");
    const std::string kind = last.substr(0, last.find('/'));
    return names_of_kind(access, kind, kind + "/");
}

}  // namespace

std::vector<std::string> complete_workloads(const CLI::App& verb, const std::vector<std::string>& words) {
    if (words.empty() || !has_workload_arguments(verb)) return {};
    try {
        ConnectionParser parser;
        const std::optional<ClassifiedWords> classified = classify_words(verb, parser, words);
        if (!classified) return {};
        std::vector<std::string> found = candidates(parser, *classified, words.back());
        std::erase_if(found,
                      [&](const std::string& word) { return !word.starts_with(words.back()) || !is_plain(word); });
        return found;
    } catch (const std::exception&) {  // a shell must not show errors while a user types
        return {};
    }
}

}  // namespace cudafault::cli
