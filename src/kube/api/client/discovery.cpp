// SPDX-License-Identifier: Apache-2.0
#include "kube/api/client/discovery.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <strings.h>

#include <algorithm>

#include "kube/api/common/error.hpp"
#include "kube/api/common/json.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/api/transport/session.hpp"

namespace cudafault::kube {

namespace {

constexpr const char* kAggregated =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

std::vector<std::string> strings_of(const Json& list) {
    std::vector<std::string> values;
    for (const Json& item : list) {
        if (item.is_string()) values.push_back(item.get<std::string>());
    }
    return values;
}

bool equals_ignoring_case(const std::string& a, const std::string& b) { return strcasecmp(a.c_str(), b.c_str()) == 0; }

bool has_name(const Resource& resource, const std::string& word) {
    const auto matches = [&](const std::string& name) { return equals_ignoring_case(name, word); };
    return matches(resource.plural) || matches(resource.kind) || matches(resource.singular) ||
           std::any_of(resource.short_names.begin(), resource.short_names.end(), matches);
}

// Parses an APIResourceList, in which each subresource has its own entry "plural/subresource".
std::vector<Resource> parse_resources(const Json& document, const std::string& group, const std::string& version) {
    std::vector<Resource> resources;
    for (const Json& item : value_at(document, "resources")) {
        const std::string name = text_at(item, "name");
        const size_t slash = name.find('/');
        if (slash == std::string::npos) {
            resources.push_back({group,
                                 version,
                                 name,
                                 text_at(item, "singularName"),
                                 text_at(item, "kind"),
                                 value_at(item, "namespaced") == true,
                                 strings_of(value_at(item, "shortNames")),
                                 strings_of(value_at(item, "verbs")),
                                 {}});
        }
    }
    for (const Json& item : value_at(document, "resources")) {
        const std::string name = text_at(item, "name");
        const size_t slash = name.find('/');
        for (Resource& resource : resources) {
            if (slash != std::string::npos && resource.plural == name.substr(0, slash)) {
                resource.subresources.push_back(name.substr(slash + 1));
            }
        }
    }
    return resources;
}

// Parses one version of an APIGroupDiscoveryList.
std::vector<Resource> parse_aggregated(const Json& entry, const std::string& group, const std::string& version) {
    std::vector<Resource> resources;
    for (const Json& item : value_at(entry, "resources")) {
        Resource resource{group,
                          version,
                          text_at(item, "resource"),
                          text_at(item, "singularResource"),
                          text_at(value_at(item, "responseKind"), "kind"),
                          text_at(item, "scope") == "Namespaced",
                          strings_of(value_at(item, "shortNames")),
                          strings_of(value_at(item, "verbs")),
                          {}};
        for (const Json& sub : value_at(item, "subresources")) {
            resource.subresources.push_back(text_at(sub, "subresource"));
        }
        resources.push_back(std::move(resource));
    }
    return resources;
}

Call call_for(const std::string& path) {
    Call call;
    call.path = path;
    call.subject = {"get", path, "", ""};
    return call;
}

std::string group_of(const std::string& api_version) {
    const size_t slash = api_version.find('/');
    return slash == std::string::npos ? "" : api_version.substr(0, slash);
}

}  // namespace

void Discovery::clear_cache() {
    group_versions_.reset();
    resources_.clear();
    unavailable_.clear();
}

void Discovery::load_aggregated(const Json& list) {
    for (const Json& item : value_at(list, "items")) {
        const std::string group = text_at(value_at(item, "metadata"), "name");
        for (const Json& entry : value_at(item, "versions")) {
            const GroupVersion at{group, text_at(entry, "version")};
            group_versions_->push_back(at);
            if (text_at(entry, "freshness") == "Stale") continue;  // requested separately when needed
            resources_[at.api_version()] = parse_aggregated(entry, group, at.version);
        }
    }
}

void Discovery::load_groups(const std::string& root) {
    Call call = call_for(root);
    call.accept = kAggregated;
    const Json document = session_.send_and_parse(call);
    if (text_at(document, "kind") == "APIGroupDiscoveryList") return load_aggregated(document);
    for (const std::string& version : strings_of(value_at(document, "versions")))
        group_versions_->push_back({"", version});
    for (const Json& group : value_at(document, "groups")) {
        const std::string preferred = text_at(value_at(group, "preferredVersion"), "version");
        std::vector<std::string> versions = {preferred};
        for (const Json& entry : value_at(group, "versions")) {
            const std::string version = text_at(entry, "version");
            if (version != preferred) versions.push_back(version);
        }
        for (const std::string& version : versions) group_versions_->push_back({text_at(group, "name"), version});
    }
}

const std::vector<Discovery::GroupVersion>& Discovery::group_versions() {
    if (!group_versions_) {
        group_versions_.emplace();
        try {
            load_groups("/api");
            load_groups("/apis");
        } catch (...) {
            clear_cache();
            throw;
        }
    }
    return *group_versions_;
}

const std::vector<Resource>* Discovery::resources_of(const GroupVersion& at) {
    const std::string api_version = at.api_version();
    const auto known = resources_.find(api_version);
    if (known != resources_.end()) return &known->second;
    try {
        const Json document = session_.send_and_parse(call_for((at.group.empty() ? "/api/" : "/apis/") + api_version));
        return &(resources_[api_version] = parse_resources(document, at.group, at.version));
    } catch (const ApiError& error) {
        if (error.is_not_found()) return nullptr;
        if (error.code < 500) throw;
        // An unavailable aggregated API must not hide the other APIs.
        unavailable_.push_back(api_version);
        return nullptr;
    }
}

std::optional<Resource> Discovery::find(const std::string& api_version, const std::string& kind) {
    const std::string group = group_of(api_version);
    const GroupVersion at{group, group.empty() ? api_version : api_version.substr(group.size() + 1)};
    for (bool cached = resources_.contains(api_version);; cached = false) {
        if (const std::vector<Resource>* resources = resources_of(at)) {
            const auto found = std::find_if(resources->begin(), resources->end(),
                                            [&](const Resource& resource) { return resource.kind == kind; });
            if (found != resources->end()) return *found;
        }
        if (!cached) return std::nullopt;
        resources_.erase(api_version);
    }
}

std::optional<Resource> Discovery::search(const std::string& word) {
    const size_t dot = word.find('.');
    const std::string name = word.substr(0, dot);
    const std::string suffix = dot == std::string::npos ? "" : word.substr(dot + 1);
    for (const GroupVersion& at : group_versions()) {
        if (!suffix.empty() && suffix != at.group && suffix != at.version + "." + at.group) continue;
        const std::vector<Resource>* resources = resources_of(at);
        if (!resources) continue;
        const auto found = std::find_if(resources->begin(), resources->end(),
                                        [&](const Resource& resource) { return has_name(resource, name); });
        if (found != resources->end()) return *found;
    }
    return std::nullopt;
}

Resource Discovery::resolve(const std::string& word) {
    const bool cached = group_versions_.has_value();
    auto found = search(word);
    if (!found && cached) {
        clear_cache();
        found = search(word);
    }
    if (found) return *found;
    const std::string unavailable =
        unavailable_.empty() ? "" : fmt::format(" (unavailable: {})", fmt::join(unavailable_, ", "));
    throw Error(
        fmt::format("the API server does not serve a resource named \"{}\"{}; check the spelling, and that its {}",
                    word, unavailable, "CustomResourceDefinition is installed"));
}

std::vector<std::string> Discovery::versions_of(const std::string& group) {
    std::vector<std::string> versions;
    for (const GroupVersion& at : group_versions()) {
        if (at.group == group) versions.push_back(at.version);
    }
    return versions;
}

}  // namespace cudafault::kube
