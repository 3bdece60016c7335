// SPDX-License-Identifier: Apache-2.0
#include "kube/api/client/watch.hpp"

#include <fmt/format.h>

#include <iterator>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/json.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/api/transport/line_splitter.hpp"
#include "kube/api/transport/session.hpp"

namespace cudafault::kube {

namespace {

bool is_transient(const ApiError& error) { return error.is_expired() || error.code == 429 || error.code >= 500; }

class Watcher {
public:
    Watcher(Client& client, const Collection& collection, const WatchOptions& options, const WatchHandler& handler)
        : client_(client), collection_(collection), options_(options), handler_(handler), version_(options.from) {}

    void run() {
        while (active_) {
            if (version_.empty()) list();
            if (active_) watch_once();
        }
    }

private:
    void list() {
        std::vector<Json> objects;
        client_.list(collection_, options_.list, [&](Page page) {
            if (page.is_first) objects.clear();
            objects.insert(objects.end(), std::make_move_iterator(page.items.begin()),
                           std::make_move_iterator(page.items.end()));
            version_ = page.resource_version;
        });
        active_ = handler_.on_list(std::move(objects));
    }

    // Sends one watch request, and pauses if the request made no progress.
    void watch_once() {
        progressed_ = false;
        try {
            stream();
            if (active_ && handler_.on_window) active_ = handler_.on_window(version_);
            if (active_ && !progressed_) client_.session().pause(1);
            failures_ = 0;
        } catch (const ApiError& error) {
            if (!is_transient(error)) throw;
            if (error.is_expired()) version_.clear();
            count_failure(error.retry_after);
        } catch (const ConnectionError&) {
            count_failure({});
        }
    }

    // Must be called from a catch block: rethrows the current exception after too many consecutive failures.
    void count_failure(const std::optional<std::chrono::seconds>& wait) {
        failures_ = progressed_ ? 1 : failures_ + 1;
        if (failures_ >= client_.session().options().tries) throw;
        if (wait) {
            client_.session().wait_until(after(*wait));
        } else {
            client_.session().pause(failures_);
        }
    }

    void stream() {
        Call call;
        call.path = path_of(collection_);
        call.subject = subject_of("watch", collection_);
        call.query = selector_query(options_.list);
        call.query.insert(call.query.end(), {{"watch", "true"},
                                             {"allowWatchBookmarks", "true"},
                                             {"resourceVersion", version_},
                                             {"timeoutSeconds", std::to_string(options_.window.count())}});
        LineSplitter lines;
        const auto on_line = [&](std::string_view line) { return handle_line(line); };
        client_.session().stream(call, options_.idle_timeout,
                                 [&](std::string_view chunk) { return lines.feed(chunk, on_line); });
    }

    bool handle_line(std::string_view line) {
        Json event = Json::parse(line, nullptr, false);
        const std::string type = text_at(event, "type");
        const Json& object = value_at(event, "object");
        if (type == "ERROR") throw api_error(object, subject_of("watch", collection_), client_.session().connection());
        const std::string version = text_at(value_at(object, "metadata"), "resourceVersion");
        if (type == "BOOKMARK") return advance(version);
        if (type != "ADDED" && type != "MODIFIED" && type != "DELETED") {
            throw ConnectionError(
                fmt::format("the watch of {} received an invalid event", subject_of("watch", collection_).text()),
                true);
        }
        const Change change = type == "ADDED"     ? Change::kAdded
                              : type == "DELETED" ? Change::kDeleted
                                                  : Change::kModified;
        active_ = handler_.on_change(change, std::move(event["object"]));
        return advance(version) && active_;
    }

    bool advance(const std::string& version) {
        if (!version.empty()) version_ = version;
        progressed_ = true;
        return true;
    }

    Client& client_;
    const Collection& collection_;
    const WatchOptions& options_;
    const WatchHandler& handler_;
    std::string version_;
    int failures_ = 0;
    bool progressed_ = false;
    bool active_ = true;
};

}  // namespace

void watch(Client& client, const Collection& collection, const WatchOptions& options, const WatchHandler& handler) {
    Watcher(client, collection, options, handler).run();
}

}  // namespace cudafault::kube
