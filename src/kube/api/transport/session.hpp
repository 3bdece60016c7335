// SPDX-License-Identifier: Apache-2.0
// Requests to one API server as one user, with what every request needs: credentials, a second try after a 401,
// Retry-After, limits in time, and errors that can be shown.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <string>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/connection.hpp"
#include "kube/api/common/encoding.hpp"
#include "kube/api/config/credentials.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/api/transport/http.hpp"
#include "kube/api/transport/rate_limit.hpp"

namespace cudafault::kube {

struct SessionOptions {
    std::shared_ptr<const Cancellation> cancellation = std::make_shared<Cancellation>();
    Deadline deadline = kNoDeadline;                                     // of everything this session does
    std::chrono::milliseconds silence = std::chrono::seconds(30);        // the longest time without a byte
    std::chrono::milliseconds plugin_timeout = std::chrono::minutes(2);  // an exec plugin may ask the user
    int tries = 5;
    std::chrono::milliseconds first_pause{200};  // doubled with each try, at most 5 s, a random part of it
    std::shared_ptr<RateLimit> rate_limit;       // null: none
    std::string user_agent = "cudafault";
    std::function<void(const std::string&)> on_warning;  // what the server warns of, in its words
    Getenv getenv = ::getenv;
};

struct Call {
    std::string method = "GET";
    std::string path;  // encoded; begins with a slash
    Query query;
    Json body;  // null: none
    std::string content_type = "application/json";
    std::string accept = "application/json";
    Subject subject;
};

// For one thread at a time.
class Session {
public:
    // Throws ConfigError. Opens no connection.
    explicit Session(Connection connection, SessionOptions options = {});
    // The same user over a connection of its own, with what an exec plugin has given already.
    Session(const Session& other, SessionOptions options);

    // Tries again after 429 and 503 with Retry-After, when the request cannot have arrived, and, for GET only, after
    // any 5xx and a broken connection; not past the deadline. Throws ApiError for every answer but 2xx, and what
    // Http::send and Credentials throw. No message holds a secret.
    HttpResponse send(const Call& call);

    // `send`, whose answer has to be JSON.
    Json json(const Call& call);

    // One try, but for a 401. The body goes to the sink as it comes, for as long as the session's deadline lets it;
    // `silence` is the longest time without a byte of it.
    void stream(const Call& call, std::chrono::milliseconds silence, const HttpSink& sink);

    // Waits as before the try after `failures` failed ones. Throws Cancelled, or DeadlinePassed at the deadline.
    void pause(int failures);
    void wait_until(Deadline end);  // throws the same

    void set_deadline(Deadline deadline) { options_.deadline = deadline; }

    const Connection& connection() const { return connection_; }
    const SessionOptions& options() const { return options_; }

private:
    Identification identify();
    HttpResponse try_once(const Call& call, std::chrono::milliseconds silence, const HttpSink& sink);
    // Waits and gives true if the request is to be sent again.
    bool try_again_after(const Call& call, const std::exception_ptr& failure, int failures);
    HttpRequest request_for(const Call& call, const Identification& identification) const;
    ApiError refused(HttpResponse response, const Subject& subject) const;
    void report_warnings(const HttpResponse& response) const;
    template <typename Action>
    auto without_secrets(const Action& action);

    Connection connection_;
    SessionOptions options_;
    Credentials credentials_;
    Http http_;
};

}  // namespace cudafault::kube
