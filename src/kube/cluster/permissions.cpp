// SPDX-License-Identifier: Apache-2.0
#include "kube/cluster/permissions.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <strings.h>

#include <algorithm>
#include <sstream>
#include <string_view>

#include "kube/api/common/error.hpp"
#include "kube/names.hpp"
#include "kube/workload/kinds.hpp"

namespace cudafault::kube {

namespace {

// The case in which a command needs the permission.
enum class When {
    kAlways,
    kAllNamespaces,
    kAllWorkloads,
    kByLabels,
    kCreateObjects,
    kExact,
    kDeletePods,
    kRestartCrashed,
    kDeleteUnhealthy
};

// Placeholders for resources.
constexpr std::string_view kWorkload = "WORKLOAD";  // the kinds given by --kind
constexpr std::string_view kHistory = "HISTORY";    // kinds in which the controllers of WORKLOAD keep old templates
constexpr std::string_view kOwnHistory = "OWN HISTORY";   // HISTORY, only for built-in kinds of Kubernetes
constexpr std::string_view kReplicaSets = "REPLICASETS";  // which own the pods of a Deployment
constexpr std::string_view kJobs = "JOBS";                // which own the pods of a CronJob
constexpr std::string_view kEveryKind = "EVERY KIND";

struct Row {
    std::string_view commands;  // separated by commas
    std::string_view resource;  // plural.group, with /subresource before the group; or a placeholder
    std::string_view verbs;
    std::string_view why;
    When when = When::kAlways;
};

constexpr Row kRows[] = {
    {"plan,inject,manifest,arm,disarm,status,restore", kWorkload, "get",
     "reads the workload, its owners and its pod templates"},
    {"plan,inject", kWorkload, "patch", "changes the template; a dry run needs the same permission"},
    {"restore", kWorkload, "patch", "reverts the change"},
    {"plan,inject,arm,disarm,status,restore", "configmaps", "get", "reads the record and the plan"},
    {"inject", "configmaps", "create,patch,delete",
     "stores the library, plan and record; deletes them if the injection fails"},
    {"manifest", "configmaps", "get,create,patch,delete", "creates or replaces the library and plan",
     When::kCreateObjects},
    {"arm,disarm", "configmaps", "patch", "changes the plan"},
    {"arm,disarm,status,restore", "configmaps", "list", "finds injected workloads", When::kAllWorkloads},
    {"plan,inject,manifest,disarm,status,restore,snapshot", kWorkload, "list", "finds workloads by their labels",
     When::kByLabels},
    {"restore", kEveryKind, "list", "finds injected workloads whose record was deleted", When::kAllWorkloads},
    {"restore", "configmaps", "create", "recreates a deleted record from the annotation of the workload"},
    {"restore", "configmaps", "patch,delete", "disarms the plan, and deletes the library, plan and record"},
    {"inject,restore", "leases.coordination.k8s.io", "get,create,patch,delete",
     "prevents two commands from changing a workload at the same time"},
    {"plan,inject,manifest", "pods", "create", "checks a pod of the changed template, only as a dry run"},
    {"plan,manifest", "pods", "list", "finds the architectures that the workload's pods select"},
    {"inject,restore", "pods", "list,watch", "waits until the pods are replaced"},
    {"inject,restore", "pods", "delete", "replaces pods of kinds whose controllers do not replace them",
     When::kDeletePods},
    {"arm,disarm,status", "pods", "list", "finds the workload's pods"},
    {"arm,disarm", "pods", "get", "checks whether a pod that has not acknowledged the plan has ended"},
    {"arm,disarm,restore", "pods", "patch", "makes the kubelet deliver the plan immediately"},
    {"disarm", "pods", "delete", "restarts pods in back-off", When::kRestartCrashed},
    {"inject,arm,disarm,status", "pods/log", "get", "reads the lines that the library logs"},
    {"inject,status", "events", "list", "finds the reasons why pods do not start"},
    {"plan,inject,manifest,status", kReplicaSets, "list", "finds the workload's pods"},
    {"plan,inject,manifest,status,restore", kJobs, "list", "finds the workload's pods"},
    {"restore", kHistory, "list", "finds the revisions of the injected template"},
    {"restore", kHistory, "delete", "deletes the revisions of the injected template"},
    {"restore", kOwnHistory, "patch",
     "resets revision numbers, and removes cudafault's annotation from original templates", When::kExact},
    {"library create", "configmaps", "get,create,patch", "stores the library's source"},
    {"library delete", "configmaps", "get,delete", "deletes the library's source"},
    {"library delete", kEveryKind, "list", "finds workloads that still mount the ConfigMap"},
    {"library delete", "pods", "list", "finds pods that still mount the ConfigMap"},
    {"scan,snapshot,verify-clean", kEveryKind, "list", "searches objects of this kind"},
    {"scan,snapshot,verify-clean", "replicasets.apps", "list", "searches old templates"},
    {"scan,snapshot,verify-clean", "controllerrevisions.apps", "list", "searches old templates"},
    {"scan,snapshot,verify-clean", "configmaps", "list", "searches for cudafault's names; reads only metadata"},
    {"scan,snapshot,verify-clean", "leases.coordination.k8s.io", "list", "searches for cudafault's names"},
    {"scan", "configmaps", "get", "reads records and plans of cudafault"},
    {"scan,verify-clean", "pods", "list", "searches pods"},
    {"scan,snapshot,verify-clean", "nodes", "list", "searches for cordons by cudafault", When::kAllNamespaces},
    {"node cordon,node drain,node uncordon", "nodes", "get,patch",
     "cordons or uncordons the node, and records its state"},
    {"node drain", "pods", "list", "finds the node's pods in all namespaces"},
    {"node drain", "pods/eviction", "create", "evicts the pods"},
    {"node drain", "pods", "delete",
     "deletes pods that are not ready if a PodDisruptionBudget does not allow their eviction", When::kDeleteUnhealthy},
    {"kernel-log", "pods", "create,get,delete", "creates the pod that writes the lines, waits for it and deletes it"},
    {"kernel-log", "events", "list", "finds the reason why the pod does not start"},
};

constexpr std::string_view kDrill = "plan,inject,arm,disarm,status,restore,scan,snapshot,verify-clean";

std::vector<std::string> split(std::string_view text, char separator = ',') {
    std::vector<std::string> parts;
    std::istringstream stream{std::string(text)};
    for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
    return parts;
}

bool has(const std::vector<std::string>& list, std::string_view text) {
    return std::find(list.begin(), list.end(), text) != list.end();
}

bool equals_ignoring_case(std::string_view a, const std::string& b) {
    return a.size() == b.size() && strncasecmp(a.data(), b.c_str(), a.size()) == 0;
}

// True if `word` is the kind, or the resource with or without its group. Ignores case.
bool has_name(const Kind& kind, const std::string& word) {
    const std::string resource = resource_of(kind);
    return equals_ignoring_case(kind.kind, word) || equals_ignoring_case(resource, word) ||
           equals_ignoring_case(resource.substr(0, resource.find('.')), word);
}

// Excludes Pods, which have no template, and cluster-scoped kinds, which a Role cannot contain.
bool can_be_injected(const Kind& kind) { return kind.pod_search != PodSearch::kItself && !kind.is_cluster_scoped; }

struct ChosenKind {
    std::string resource;
    const Kind* kind;  // nullptr: not in the table of kinds
    std::vector<Resource> histories;
};

ChosenKind chosen_kind(const std::string& word, const std::string& command) {
    for (const Kind& kind : kinds()) {
        const bool is_accepted =
            can_be_injected(kind) || (command == "manifest" && kind.pod_search == PodSearch::kItself);
        if (is_accepted && has_name(kind, word)) {
            return {resource_of(kind), &kind, histories_of(kind.group, kind.kind)};
        }
    }
    const size_t dot = word.find('.');
    if (dot != std::string::npos) return {word, nullptr, histories_of(word.substr(dot + 1), word.substr(0, dot))};
    std::vector<std::string> known;
    for (const Kind& kind : kinds()) {
        if (can_be_injected(kind)) known.push_back(has(known, kind.kind) ? resource_of(kind) : kind.kind);
    }
    throw Error(
        fmt::format("unknown kind \"{}\": expected one of {}, or another kind as plural.group, such as "
                    "widgets.example.com",
                    word, fmt::join(known, ", ")));
}

// `resource` is a name such as "pods/log" or "deployments.apps".
Permission permission_for(const std::string& resource) {
    const size_t dot = resource.find('.');
    Permission permission;
    permission.resource = resource.substr(0, dot);
    if (dot != std::string::npos) permission.group = resource.substr(dot + 1);
    permission.cluster_wide = resource == "nodes";
    return permission;
}

bool is_any_searched(const std::vector<ChosenKind>& chosen, PodSearch search) {
    return std::any_of(chosen.begin(), chosen.end(),
                       [&](const ChosenKind& each) { return each.kind && each.kind->pod_search == search; });
}

std::vector<std::string> resources_of(const Row& row, const std::vector<ChosenKind>& chosen, bool kinds_given) {
    std::vector<std::string> resources;
    if (row.resource == kWorkload || (row.resource == kEveryKind && kinds_given)) {
        for (const ChosenKind& kind : chosen) resources.push_back(kind.resource);
    } else if (row.resource == kEveryKind) {
        for (const Kind& kind : kinds()) {
            if (can_be_injected(kind)) resources.push_back(resource_of(kind));
        }
    } else if (row.resource == kReplicaSets) {
        if (is_any_searched(chosen, PodSearch::kReplicaSets)) resources.emplace_back("replicasets.apps");
    } else if (row.resource == kJobs) {
        if (is_any_searched(chosen, PodSearch::kJobs)) resources.emplace_back("jobs.batch");
    } else if (row.resource == kHistory || row.resource == kOwnHistory) {
        for (const ChosenKind& kind : chosen) {
            if (row.resource == kOwnHistory && !(kind.kind && kind.kind->group == "apps")) continue;
            for (const Resource& history : kind.histories) resources.push_back(history.qualified());
        }
    } else {
        resources.emplace_back(row.resource);
    }
    return resources;
}

bool is_applicable(const Row& row, const CommandUse& use) {
    switch (row.when) {
        case When::kAlways: return true;
        case When::kAllNamespaces: return use.all_namespaces;
        case When::kAllWorkloads: return use.all_workloads;
        case When::kByLabels: return use.by_labels;
        case When::kCreateObjects: return use.create_objects;
        case When::kExact: return use.exact;
        case When::kDeletePods: return use.delete_pods;
        case When::kRestartCrashed: return use.restart_crashed;
        case When::kDeleteUnhealthy: return use.delete_unhealthy;
    }
    return false;
}

bool is_needed_by(const Row& row, const std::string& command) {
    const auto in_row = split(row.commands);
    const auto wanted = command == "all" ? split(kDrill) : std::vector{command};
    return std::any_of(wanted.begin(), wanted.end(), [&](const std::string& name) { return has(in_row, name); });
}

void merge(std::vector<Permission>& permissions, const std::string& resource, const Row& row) {
    auto known = std::find_if(permissions.begin(), permissions.end(),
                              [&](const Permission& permission) { return permission.qualified() == resource; });
    if (known == permissions.end()) known = permissions.insert(known, permission_for(resource));
    bool has_new_verb = false;
    for (const std::string& verb : split(row.verbs)) {
        if (has(known->verbs, verb)) continue;
        known->verbs.push_back(verb);
        has_new_verb = true;
    }
    if (has_new_verb) known->why.push_back(fmt::format("{}: {}", fmt::join(split(row.verbs), ", "), row.why));
}

void check(const CommandUse& use) {
    const auto known = commands();
    if (!has(known, use.command)) {
        throw Error(fmt::format("unknown command \"{}\": expected one of {}", use.command, fmt::join(known, ", ")));
    }
}

bool is_cluster_role_needed(const CommandUse& use, const std::vector<Permission>& permissions) {
    return use.all_namespaces || use.is_node_command() ||
           std::any_of(permissions.begin(), permissions.end(), [](const Permission& p) { return p.cluster_wide; });
}

std::string role_name(const CommandUse& use) {
    std::string name = names::kRbacPrefix + use.command;
    std::replace(name.begin(), name.end(), ' ', '-');
    return name;
}

std::string quoted_list(const Json& list) {
    std::vector<std::string> texts;
    for (const Json& item : list) texts.push_back(item.dump());
    return fmt::format("[{}]", fmt::join(texts, ", "));
}

}  // namespace

std::string Permission::qualified() const { return group.empty() ? resource : resource + "." + group; }

Json Permission::rule() const { return {{"apiGroups", {group}}, {"resources", {resource}}, {"verbs", verbs}}; }

std::vector<std::string> commands() {
    std::vector<std::string> known;
    for (const Row& row : kRows) {
        for (const std::string& command : split(row.commands)) {
            if (!has(known, command)) known.push_back(command);
        }
    }
    known.emplace_back("all");
    return known;
}

std::vector<Permission> permissions_of(const CommandUse& use) {
    check(use);
    std::vector<ChosenKind> chosen;
    for (const std::string& word : use.kinds) chosen.push_back(chosen_kind(word, use.command));
    if (chosen.empty()) chosen.push_back(chosen_kind("Deployment", use.command));
    std::vector<Permission> permissions;
    for (const Row& row : kRows) {
        if (!is_needed_by(row, use.command) || !is_applicable(row, use)) continue;
        for (const std::string& resource : resources_of(row, chosen, !use.kinds.empty())) {
            merge(permissions, resource, row);
        }
    }
    return permissions;
}

Json role_of(const CommandUse& use) {
    const auto permissions = permissions_of(use);
    const bool is_cluster_wide = is_cluster_role_needed(use, permissions);
    Json role = {{"apiVersion", "rbac.authorization.k8s.io/v1"},
                 {"kind", is_cluster_wide ? "ClusterRole" : "Role"},
                 {"metadata", {{"name", role_name(use)}}},
                 {"rules", Json::array()}};
    if (!is_cluster_wide) role["metadata"]["namespace"] = use.in_namespace;
    for (const Permission& permission : permissions) role["rules"].push_back(permission.rule());
    return role;
}

std::string role_yaml(const CommandUse& use) {
    const Json role = role_of(use);
    const Json& metadata = role.at("metadata");
    std::string text = fmt::format("# The permissions that `cudafault k8s {}` needs.\n", use.command);
    text += fmt::format("apiVersion: {}\nkind: {}\nmetadata:\n  name: {}\n", role.at("apiVersion").get<std::string>(),
                        role.at("kind").get<std::string>(), metadata.at("name").get<std::string>());
    if (metadata.contains("namespace")) text += fmt::format("  namespace: {}\n", metadata.at("namespace").dump());
    text += "rules:\n";
    for (const Permission& permission : permissions_of(use)) {
        const Json rule = permission.rule();
        for (const std::string& why : permission.why) text += fmt::format("# {}\n", why);
        text += fmt::format("- apiGroups: {}\n  resources: {}\n  verbs: {}\n", quoted_list(rule.at("apiGroups")),
                            quoted_list(rule.at("resources")), quoted_list(rule.at("verbs")));
    }
    return text;
}

}  // namespace cudafault::kube
