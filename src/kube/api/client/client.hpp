// SPDX-License-Identifier: Apache-2.0
// Reads and writes API objects as raw JSON, so that fields unknown to this program are preserved. Every call may throw
// the exceptions of Session::send, in particular ApiError.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kube/api/client/json_patch.hpp"
#include "kube/api/client/resource.hpp"
#include "kube/api/common/encoding.hpp"

namespace cudafault::kube {

struct Call;
class Session;

struct ListOptions {
    std::string label_selector = {};
    std::string field_selector = {};
    int page_size = 500;
    bool metadata_only = false;  // request only the metadata of each object
};

// Part of a list. Each object has its apiVersion and kind.
struct Page {
    std::vector<Json> items;
    bool is_first;                 // true when the list starts or restarts: discard the objects of earlier pages
    std::string resource_version;  // the version of the whole list, from which a watch can start
};

struct WriteOptions {
    bool dry_run = false;  // the server validates the request, including admission, but stores nothing
    std::string field_manager = "cudafault";
};

inline WriteOptions dry_run() {
    WriteOptions options;
    options.dry_run = true;
    return options;
}

struct DeleteOptions {
    std::string uid;  // uid and resource_version are preconditions; an empty field is not checked
    std::string resource_version;
    std::optional<int64_t> grace_period_seconds;
    bool dry_run = false;
};

struct LogOptions {
    std::string container;  // may be empty if the pod has one container
    bool previous = false;  // the log of the instance before the last restart
    bool timestamps = false;
    std::optional<int> tail_lines;
    std::optional<int> since_seconds;
    std::optional<int> limit_bytes;
};

class Client {
public:
    explicit Client(Session& session) : session_(session) {}

    Json get(const ObjectRef& ref);
    std::optional<Json> find(const ObjectRef& ref);  // nullopt if not found

    // Lists page by page, in bounded memory. Restarts the list if the continue token expires (410), at most five times.
    void list(const Collection& collection, const ListOptions& options, const std::function<void(Page)>& on_page);

    // Returns all objects of the list. Use `list` if memory use must stay bounded.
    std::vector<Json> list_all(const Collection& collection, const ListOptions& options = {});

    // Creates the object in the namespace that its metadata names. Returns the object as the server stored it.
    Json create(const Resource& resource, const Json& object, const WriteOptions& options = {});

    Json patch(const ObjectRef& ref, const JsonPatch& patch, const WriteOptions& options = {});
    Json merge_patch(const ObjectRef& ref, const Json& patch, const WriteOptions& options = {});

    // Returns the deleted object in its last state, or a Status. Throws a 409 ApiError if a precondition
    // fails.
    Json remove(const ObjectRef& ref, const DeleteOptions& options = {});

    // Does not retry if a PodDisruptionBudget forbids the eviction: throws an ApiError with is_disruption_budget().
    Json evict(const std::string& in_namespace, const std::string& pod, const DeleteOptions& options = {});

    // Returns nullopt if the kubelet cannot read the log; the API server then responds with status 200 and a message in
    // place of the log. Bytes that are invalid UTF-8 are returned unchanged.
    std::optional<std::string> log(const std::string& in_namespace, const std::string& pod, const LogOptions& options);

    Session& session() { return session_; }

private:
    // Returns nullopt if the continue token `next` has expired.
    std::optional<Json> list_page(const Collection& collection, const ListOptions& options, const std::string& next);
    Json write(Call call, const WriteOptions& options);

    Session& session_;
};

// Returns the query parameters of a list or a watch.
Query selector_query(const ListOptions& options);

}  // namespace cudafault::kube
