// SPDX-License-Identifier: Apache-2.0
#include "kube/inject/architectures.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>

#include "kube/api/client/client.hpp"
#include "kube/api/client/resource.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/common/json.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/workload/pods.hpp"

namespace cudafault::kube {

namespace {

using Names = std::set<std::string>;  // values of the label kubernetes.io/arch

constexpr const char* kLabel = "kubernetes.io/arch";

Names all_names() {
    Names names;
    for (const Architecture architecture : kArchitectures) names.insert(kubernetes_name(architecture));
    return names;
}

std::vector<Architecture> known(const Names& names) {
    std::vector<Architecture> found;
    for (const Architecture architecture : kArchitectures) {
        if (names.contains(kubernetes_name(architecture))) found.push_back(architecture);
    }
    return found;
}

const Json& required_terms(const Json& pod_spec) {
    const Json& affinity = value_at(value_at(pod_spec, "affinity"), "nodeAffinity");
    return value_at(value_at(affinity, "requiredDuringSchedulingIgnoredDuringExecution"), "nodeSelectorTerms");
}

bool has_value(const Json& expression, const std::string& value) {
    const Json& values = value_at(expression, "values");
    return values.is_array() && std::find(values.begin(), values.end(), value) != values.end();
}

// Treats the other operators (Gt, Lt) as met: delivering the library for an unneeded architecture is harmless.
bool is_met(const Json& expression, const std::string* label) {
    const std::string operation = text_at(expression, "operator");
    if (operation == "In") return label && has_value(expression, *label);
    if (operation == "NotIn") return !label || !has_value(expression, *label);
    if (operation == "Exists") return label != nullptr;
    return operation != "DoesNotExist" || !label;
}

bool is_term_met(const Json& term, const Json& labels) {
    const Json& expressions = value_at(term, "matchExpressions");
    return !expressions.is_array() || std::all_of(expressions.begin(), expressions.end(), [&](const Json& expression) {
        const Json& label = value_at(labels, text_at(expression, "key").c_str());
        return is_met(expression, label.is_string() ? &label.get_ref<const std::string&>() : nullptr);
    });
}

// Checks nodeSelector and required node affinity, but not taints.
bool is_node_selected(const Json& pod_spec, const Json& labels) {
    const Json& selector = value_at(pod_spec, "nodeSelector");
    if (selector.is_object()) {
        for (const auto& [key, value] : selector.items()) {
            if (value_at(labels, key.c_str()) != value) return false;
        }
    }
    const Json& terms = required_terms(pod_spec);
    return !terms.is_array() || terms.empty() ||
           std::any_of(terms.begin(), terms.end(), [&](const Json& term) { return is_term_met(term, labels); });
}

// True if the pod spec selects nodes by architecture.
bool has_architecture_selector(const Json& pod_spec) {
    if (!text_at(value_at(pod_spec, "nodeSelector"), kLabel).empty()) return true;
    const Json& terms = required_terms(pod_spec);
    if (!terms.is_array()) return false;
    return std::any_of(terms.begin(), terms.end(), [](const Json& term) {
        const Json& expressions = value_at(term, "matchExpressions");
        return expressions.is_array() &&
               std::any_of(expressions.begin(), expressions.end(),
                           [](const Json& expression) { return text_at(expression, "key") == kLabel; });
    });
}

// Returns the pod spec without requirements on other labels.
Json only_architecture_terms(const Json& pod_spec) {
    Json terms = required_terms(pod_spec);
    if (!terms.is_array()) terms = Json::array();
    for (Json& term : terms) {
        const Json expressions = value_at(term, "matchExpressions");
        Json kept = Json::array();
        for (const Json& expression : expressions) {
            if (text_at(expression, "key") == kLabel) kept.push_back(expression);
        }
        term = {{"matchExpressions", kept}};
    }
    const Json required = {{"requiredDuringSchedulingIgnoredDuringExecution", {{"nodeSelectorTerms", terms}}}};
    Json spec = {{"affinity", {{"nodeAffinity", required}}}};
    const std::string selected = text_at(value_at(pod_spec, "nodeSelector"), kLabel);
    if (!selected.empty()) spec["nodeSelector"] = {{kLabel, selected}};
    return spec;
}

// Returns the architectures that the pod spec selects, or std::nullopt if it admits every architecture.
std::optional<Names> selected_by(const Json& pod_spec) {
    if (!has_architecture_selector(pod_spec)) return std::nullopt;
    const Json spec = only_architecture_terms(pod_spec);
    Names names = all_names();
    std::erase_if(names, [&](const std::string& name) { return !is_node_selected(spec, {{kLabel, name}}); });
    return names == all_names() ? std::nullopt : std::optional(names);
}

// Returns the architectures that any of the pod specs selects, or std::nullopt if the list is empty or one of the pod
// specs admits every architecture.
std::optional<Names> selected_by_any(const std::vector<Json>& pod_specs) {
    Names names;
    for (const Json& spec : pod_specs) {
        const auto selected = selected_by(spec);
        if (!selected) return std::nullopt;
        names.insert(selected->begin(), selected->end());
    }
    return names.empty() ? std::nullopt : std::optional(names);
}

bool has_gpus(const Json& node) {
    if (text_at(value_at(value_at(node, "metadata"), "labels"), "nvidia.com/gpu.present") == "true") return true;
    const Json& capacity = value_at(value_at(node, "status"), "capacity");
    if (!capacity.is_object()) return false;
    return std::any_of(capacity.items().begin(), capacity.items().end(),
                       [](const auto& amount) { return is_gpu_resource(amount.key()) && !is_zero(amount.value()); });
}

class ArchitectureFinder {
public:
    ArchitectureFinder(Client& client, Discovery& discovery, const Workload& workload,
                       const std::vector<TemplateSite>& templates)
        : client_(client), discovery_(discovery), workload_(workload) {
        for (const TemplateSite& site : templates) {
            const Json* spec = find(workload.object, site.pod_spec);
            specs_.push_back(spec ? *spec : Json::object());
            use_gpus_ = use_gpus_ && has_gpu_container(site);
        }
    }

    // Returns the architectures, or sets `why` and returns std::nullopt if they are unknown.
    std::optional<Names> find_names(std::string& why) {
        if (const auto selected = selected_by_any(specs_)) return selected;
        why = "no node that admits the pods has a supported architecture in the label " + std::string(kLabel);
        try {
            return from_nodes();
        } catch (const ApiError& error) {
            if (!error.is_forbidden()) throw;
        }
        why = "no permission to list nodes, and neither the template nor its pods select an architecture";
        return from_pods();
    }

private:
    // Checks all containers of the template, because the site may list only some of them.
    bool has_gpu_container(const TemplateSite& site) const {
        return std::any_of(workload_.templates.begin(), workload_.templates.end(),
                           [&](const TemplateSite& complete_site) {
                               return complete_site.pod_spec == site.pod_spec &&
                                      std::any_of(complete_site.containers.begin(), complete_site.containers.end(),
                                                  [](const ContainerSite& container) { return container.has_gpu; });
                           });
    }

    std::optional<Names> from_nodes() {
        Names on_gpu_nodes, on_all_nodes;
        client_.list({nodes(), ""}, {}, [&](const Page& page) {
            for (const Json& node : page.items) {
                const Json& labels = value_at(value_at(node, "metadata"), "labels");
                const bool is_admitted = std::any_of(specs_.begin(), specs_.end(),
                                                     [&](const Json& spec) { return is_node_selected(spec, labels); });
                if (!is_admitted) continue;
                on_all_nodes.insert(text_at(labels, kLabel));
                if (has_gpus(node)) on_gpu_nodes.insert(text_at(labels, kLabel));
            }
        });
        const Names& names = use_gpus_ && !known(on_gpu_nodes).empty() ? on_gpu_nodes : on_all_nodes;
        return known(names).empty() ? std::nullopt : std::optional(names);
    }

    // Admission may have added node requirements to the pods that the template does not have.
    std::optional<Names> from_pods() {
        try {
            std::vector<Json> specs;
            for (const Json& pod : pods_of(client_, discovery_, workload_)) specs.push_back(value_at(pod, "spec"));
            return selected_by_any(specs);
        } catch (const ApiError& error) {
            if (!error.is_forbidden()) throw;
            return std::nullopt;
        }
    }

    Client& client_;
    Discovery& discovery_;
    const Workload& workload_;
    std::vector<Json> specs_;
    bool use_gpus_ = true;
};

bool has(const std::vector<Architecture>& list, Architecture architecture) {
    return std::find(list.begin(), list.end(), architecture) != list.end();
}

std::string names_text(const std::vector<Architecture>& architectures) {
    std::vector<std::string> names;
    for (const Architecture architecture : architectures) names.emplace_back(kubernetes_name(architecture));
    return fmt::format("{}", fmt::join(names, " and "));
}

void note_unknown(const std::string& why, const std::vector<Architecture>& built, std::vector<std::string>& notes) {
    std::vector<Architecture> missing(std::begin(kArchitectures), std::end(kArchitectures));
    std::erase_if(missing, [&](Architecture architecture) { return has(built, architecture); });
    std::string note = fmt::format("{}, so the library is delivered for {}", why, names_text(built));
    if (!missing.empty()) {
        note += fmt::format("; this cudafault was built without the {} library, and pods on such nodes run without it",
                            names_text(missing));
    }
    notes.push_back(std::move(note));
}

}  // namespace

std::vector<Architecture> built_architectures() {
    std::vector<Architecture> built(std::begin(kArchitectures), std::end(kArchitectures));
    std::erase_if(built, [](Architecture architecture) { return library_for(architecture).empty(); });
    return built;
}

std::vector<Architecture> architectures_for(Client& client, Discovery& discovery, const Workload& workload,
                                            const std::vector<TemplateSite>& templates, std::vector<std::string>& notes,
                                            const std::vector<Architecture>& built) {
    std::string why;
    const std::optional<Names> names = ArchitectureFinder(client, discovery, workload, templates).find_names(why);
    if (!names) {
        note_unknown(why, built, notes);
        return built;
    }
    const std::vector<Architecture> wanted = known(*names);
    for (const Architecture architecture : wanted) {
        if (has(built, architecture)) continue;
        throw Error(
            fmt::format("pods of {} can be scheduled on {} nodes, but this cudafault was built without the library for "
                        "them: select another architecture in its template (nodeSelector {}), use --delivery source, "
                        "or build cudafault with the cross compiler",
                        workload.text(), kubernetes_name(architecture), kLabel));
    }
    return wanted;
}

}  // namespace cudafault::kube
