// SPDX-License-Identifier: Apache-2.0
// Sends requests to one API server as one user. Adds credentials, retries after a 401 and after Retry-After, enforces
// time limits, and removes secrets from errors.
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
    Deadline deadline = kNoDeadline;  // applies to all requests and waits of the session
    std::chrono::milliseconds idle_timeout = std::chrono::seconds(30);   // the longest time without receiving data
    std::chrono::milliseconds plugin_timeout = std::chrono::minutes(2);  // an exec plugin may prompt the user
    int tries = 5;
    std::chrono::milliseconds first_pause{200};  // doubled with each try up to 5 s, then randomly shortened
    std::shared_ptr<RateLimit> rate_limit;       // null: no limit
    std::string user_agent = "cudafault";
    std::function<void(const std::string&)> on_warning;  // receives the text of the server's warnings
    Getenv getenv = ::getenv;
};

struct Call {
    std::string method = "GET";
    std::string path;  // encoded; starts with a slash
    Query query;
    Json body;  // null: no body
    std::string content_type = "application/json";
    std::string accept = "application/json";
    Subject subject;
};

// Not thread-safe.
class Session {
public:
    // Throws ConfigError. Opens no connection.
    explicit Session(Connection connection, SessionOptions options = {});
    // Creates a session with the same user, its own connection, and the exec plugin's cached credential.
    Session(const Session& other, SessionOptions options);

    // Retries after 429 and 503 with Retry-After, if the request cannot have reached the server, and, for GET only,
    // after any 5xx and a broken connection. Never retries past the deadline. Throws ApiError for every status other
    // than 2xx, and the exceptions of Http::send and Credentials. No message contains a secret.
    HttpResponse send(const Call& call);

    // Like `send`, but parses the response as JSON.
    Json send_and_parse(const Call& call);

    // Sends the request, and after a 401 sends it once more if the credentials have changed. The sink receives the body
    // in chunks. `idle_timeout` is the longest time without receiving data. Throws like `send`, also DeadlinePassed if
    // the body has not ended at the session's deadline.
    void stream(const Call& call, std::chrono::milliseconds idle_timeout, const HttpSink& sink);

    // Pauses before the retry that follows `failures` failures. Throws Cancelled, or DeadlinePassed at the deadline.
    void pause(int failures);
    void wait_until(Deadline end);  // throws like `pause`

    void set_deadline(Deadline deadline) { options_.deadline = deadline; }

    const Connection& connection() const { return connection_; }
    const SessionOptions& options() const { return options_; }

private:
    Identification identify();
    HttpResponse try_once(const Call& call, std::chrono::milliseconds idle_timeout, const HttpSink& sink);
    // Waits and returns true if the request may be retried.
    bool wait_before_retry(const Call& call, const std::exception_ptr& failure, int failures);
    HttpRequest request_for(const Call& call, const Identification& identification) const;
    ApiError error_from(HttpResponse response, const Subject& subject) const;
    void report_warnings(const HttpResponse& response) const;
    template <typename Action>
    auto without_secrets(const Action& action);

    Connection connection_;
    SessionOptions options_;
    Credentials credentials_;
    Http http_;
};

}  // namespace cudafault::kube
