// SPDX-License-Identifier: Apache-2.0
#include "kube/api/client/client.hpp"

#include <fmt/format.h>

#include "kube/api/client/resource.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/common/json.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/api/transport/session.hpp"

namespace cudafault::kube {

namespace {

constexpr int kMaxListStarts = 5;
constexpr const char* kMetadataList = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

Call call_for(const std::string& method, const std::string& verb, const ObjectRef& ref,
              const std::string& subresource = "") {
    Call call;
    call.method = method;
    call.path = path_of(ref, subresource);
    call.subject = subject_of(verb, ref, subresource);
    return call;
}

Json delete_options(const DeleteOptions& options) {
    Json body = {{"apiVersion", "v1"}, {"kind", "DeleteOptions"}};
    if (!options.uid.empty()) body["preconditions"]["uid"] = options.uid;
    if (!options.resource_version.empty()) body["preconditions"]["resourceVersion"] = options.resource_version;
    if (options.grace_period_seconds) body["gracePeriodSeconds"] = *options.grace_period_seconds;
    if (options.dry_run) body["dryRun"] = {"All"};
    return body;
}

// Sets apiVersion and kind, which the items of a typed list lack.
void set_kind_of_item(Json& item, const std::string& api_version, const std::string& list_kind) {
    constexpr std::string_view suffix = "List";
    if (!item.is_object()) return;
    if (!item.contains("apiVersion") && !api_version.empty()) item["apiVersion"] = api_version;
    if (!item.contains("kind") && list_kind.ends_with(suffix)) {
        item["kind"] = list_kind.substr(0, list_kind.size() - suffix.size());
    }
}

std::vector<Json> extract_items(Json& response) {
    const std::string api_version = text_at(response, "apiVersion");
    const std::string kind = text_at(response, "kind");
    std::vector<Json> items;
    if (!value_at(response, "items").is_array()) return items;
    for (Json& item : response["items"]) {
        set_kind_of_item(item, api_version, kind);
        items.push_back(std::move(item));
    }
    return items;
}

Call log_call(const std::string& in_namespace, const std::string& pod, const LogOptions& options) {
    Call call = call_for("GET", "get", {pods(), in_namespace, pod}, "log");
    call.accept = "*/*";
    if (!options.container.empty()) call.query.emplace_back("container", options.container);
    if (options.previous) call.query.emplace_back("previous", "true");
    if (options.timestamps) call.query.emplace_back("timestamps", "true");
    const auto add = [&](const char* name, const std::optional<int>& value) {
        if (value) call.query.emplace_back(name, std::to_string(*value));
    };
    add("tailLines", options.tail_lines);
    add("sinceSeconds", options.since_seconds);
    add("limitBytes", options.limit_bytes);
    return call;
}

// Returns true if the log is only the one-line message that the API server sends when the kubelet cannot read the log.
bool is_kubelet_error(const std::string& log) {
    return log.starts_with("unable to retrieve container logs for ") && log.find('\n') >= log.size() - 1;
}

}  // namespace

Query selector_query(const ListOptions& options) {
    Query query;
    if (!options.label_selector.empty()) query.emplace_back("labelSelector", options.label_selector);
    if (!options.field_selector.empty()) query.emplace_back("fieldSelector", options.field_selector);
    return query;
}

Json Client::get(const ObjectRef& ref) { return session_.send_and_parse(call_for("GET", "get", ref)); }

std::optional<Json> Client::find(const ObjectRef& ref) {
    try {
        return get(ref);
    } catch (const ApiError& error) {
        if (!error.is_not_found()) throw;
        return std::nullopt;
    }
}

std::optional<Json> Client::list_page(const Collection& collection, const ListOptions& options,
                                      const std::string& next) {
    Call call;
    call.path = path_of(collection);
    call.subject = subject_of("list", collection);
    if (options.metadata_only) call.accept = kMetadataList;
    call.query = selector_query(options);
    call.query.emplace_back("limit", std::to_string(options.page_size));
    if (!next.empty()) call.query.emplace_back("continue", next);
    try {
        return session_.send_and_parse(call);
    } catch (const ApiError& error) {
        if (!error.is_expired() || next.empty()) throw;
        return std::nullopt;
    }
}

void Client::list(const Collection& collection, const ListOptions& options, const std::function<void(Page)>& on_page) {
    std::string next;
    for (int expired = 0;;) {
        auto response = list_page(collection, options, next);
        if (response) {
            const bool is_first = next.empty();
            const Json& metadata = value_at(*response, "metadata");
            next = text_at(metadata, "continue");
            const std::string version = text_at(metadata, "resourceVersion");
            on_page({extract_items(*response), is_first, version});
            if (next.empty()) return;
        } else {
            if (++expired == kMaxListStarts) {
                throw Error(
                    fmt::format("cannot list {}: the list expired {} times before its end; list fewer objects, or a "
                                "single namespace",
                                subject_of("list", collection).text(), kMaxListStarts));
            }
            next.clear();
            session_.pause(expired);
        }
    }
}

Json Client::write(Call call, const WriteOptions& options) {
    if (options.dry_run) call.query.emplace_back("dryRun", "All");
    if (!options.field_manager.empty()) call.query.emplace_back("fieldManager", options.field_manager);
    return session_.send_and_parse(call);
}

std::vector<Json> Client::list_all(const Collection& collection, const ListOptions& options) {
    std::vector<Json> objects;
    list(collection, options, [&](Page page) {
        if (page.is_first) objects.clear();
        std::move(page.items.begin(), page.items.end(), std::back_inserter(objects));
    });
    return objects;
}

Json Client::create(const Resource& resource, const Json& object, const WriteOptions& options) {
    const Json& metadata = value_at(object, "metadata");
    const Collection collection{resource, text_at(metadata, "namespace")};
    Call call;
    call.method = "POST";
    call.path = path_of(collection);
    call.body = object;
    call.subject = subject_of("create", collection);
    call.subject.name = text_at(metadata, "name");
    call.subject.kind = resource.kubectl_kind();
    return write(std::move(call), options);
}

Json Client::patch(const ObjectRef& ref, const JsonPatch& patch, const WriteOptions& options) {
    Call call = call_for("PATCH", "patch", ref);
    call.body = patch.operations();
    call.content_type = "application/json-patch+json";
    return write(std::move(call), options);
}

Json Client::merge_patch(const ObjectRef& ref, const Json& patch, const WriteOptions& options) {
    Call call = call_for("PATCH", "patch", ref);
    call.body = patch;
    call.content_type = "application/merge-patch+json";
    return write(std::move(call), options);
}

Json Client::remove(const ObjectRef& ref, const DeleteOptions& options) {
    Call call = call_for("DELETE", "delete", ref);
    call.body = delete_options(options);
    return session_.send_and_parse(call);
}

Json Client::evict(const std::string& in_namespace, const std::string& pod, const DeleteOptions& options) {
    Call call = call_for("POST", "create", {pods(), in_namespace, pod}, "eviction");
    call.body = {{"apiVersion", "policy/v1"},
                 {"kind", "Eviction"},
                 {"metadata", {{"name", pod}, {"namespace", in_namespace}}},
                 {"deleteOptions", delete_options(options)}};
    return session_.send_and_parse(call);
}

std::optional<std::string> Client::log(const std::string& in_namespace, const std::string& pod,
                                       const LogOptions& options) {
    std::string log = session_.send(log_call(in_namespace, pod, options)).body;
    if (is_kubelet_error(log)) return std::nullopt;
    return log;
}

}  // namespace cudafault::kube
