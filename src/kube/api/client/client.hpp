// SPDX-License-Identifier: Apache-2.0
// Objects of the API server, as raw JSON: no field that this program does not know is ever lost. Every call throws what
// Session::send throws, above all ApiError.
#pragma once

#include <chrono>
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
    bool metadata_only = false;  // of each object nothing but its metadata is sent
};

// Some of the objects of a list, each with its apiVersion and kind.
struct Page {
    std::vector<Json> items;
    bool is_first;                 // of the list, or of a new start: what earlier pages held counts no more
    std::string resource_version;  // of the whole list; a watch goes on from here
};

struct WriteOptions {
    bool dry_run = false;  // everything is checked by the server, admission included, and nothing is kept
    std::string field_manager = "cudafault";
};

inline WriteOptions dry_run() {
    WriteOptions options;
    options.dry_run = true;
    return options;
}

struct DeleteOptions {
    std::string uid;  // these two have to be the object's, if given
    std::string resource_version;
    std::optional<int> grace_period_seconds;
    bool dry_run = false;
};

struct LogOptions {
    std::string container;  // may be empty in a pod of one
    bool previous = false;  // of the instance before the last restart
    bool timestamps = false;
    std::optional<int> tail_lines;
    std::optional<int> since_seconds;
    std::optional<int> limit_bytes;
};

class Client {
public:
    explicit Client(Session& session) : session_(session) {}

    Json get(const ObjectRef& ref);
    std::optional<Json> find(const ObjectRef& ref);  // nothing if it is not there

    // Page by page, in bounded memory. A continue token that ran out (410) begins the list anew, at most five times.
    void list(const Collection& collection, const ListOptions& options, const std::function<void(Page)>& on_page);

    // All objects of the list together; `list` where memory has to stay bounded.
    std::vector<Json> list_all(const Collection& collection, const ListOptions& options = {});

    // The namespace is the object's own. Gives what the server made of it.
    Json create(const Resource& resource, const Json& object, const WriteOptions& options = {});

    Json patch(const ObjectRef& ref, const JsonPatch& patch, const WriteOptions& options = {});
    Json merge_patch(const ObjectRef& ref, const Json& patch, const WriteOptions& options = {});

    // Gives the object as it ends, or a Status if it is gone. 409 if the preconditions do not hold.
    Json remove(const ObjectRef& ref, const DeleteOptions& options = {});

    // ApiError::is_disruption_budget if a budget does not allow it now: that is not tried again here.
    Json evict(const std::string& in_namespace, const std::string& pod, const DeleteOptions& options = {});

    // Nothing if the kubelet cannot get it any more, which the API server reports with a 200 and a sentence in place of
    // the log. Bytes that are no UTF-8 come as they are.
    std::optional<std::string> log(const std::string& in_namespace, const std::string& pod, const LogOptions& options);

    Session& session() { return session_; }

private:
    // Nothing if the continue token `next` has expired.
    std::optional<Json> list_page(const Collection& collection, const ListOptions& options, const std::string& next);
    Json write(Call call, const WriteOptions& options);

    Session& session_;
};

// The query of a list or a watch.
Query selection(const ListOptions& options);

}  // namespace cudafault::kube
