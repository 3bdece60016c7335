// SPDX-License-Identifier: Apache-2.0
// Sends HTTP/1.1 requests to one server and reuses connections. Does not retry and does not
// interpret status codes: see Session.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/server_url.hpp"
#include "kube/api/common/tls_identity.hpp"

namespace cudafault::kube {

struct HttpServer {
    ServerUrl url;
    std::string tls_server_name;  // if empty, the URL's host
    std::string proxy;            // if empty, no proxy is used
    bool verifies = true;         // verify the server's certificate and its name
    bool compresses = true;
    std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);
};

struct HttpRequest {
    std::string method;
    std::string target;                // path and query, encoded
    std::vector<std::string> headers;  // "Name: value"
    std::string body;
    TlsIdentity identity;
    std::string authorities;  // PEM; if empty, the system's authorities are used
};

struct HttpResponse {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
    std::string body;

    bool is_success() const { return status >= 200 && status < 300; }
    std::optional<std::string> header(std::string_view name) const;  // the first value; `name` must be in lower case
};

struct HttpLimits {
    Deadline deadline = kNoDeadline;
    std::chrono::milliseconds idle_timeout = std::chrono::seconds(30);  // the longest time without receiving data
};

// Receives the body of a successful response in chunks, instead of HttpResponse::body. Return false to end the request.
using HttpSink = std::function<bool(std::string_view chunk)>;

// Not thread-safe.
class Http {
public:
    explicit Http(HttpServer server);
    ~Http();
    Http(const Http&) = delete;
    Http& operator=(const Http&) = delete;

    // Throws ConnectionError if the response is incomplete or missing, ConfigError for invalid certificates and keys,
    // DeadlinePassed, Cancelled.
    HttpResponse send(const HttpRequest& request, const HttpLimits& limits, const Cancellation& cancellation,
                      const HttpSink& sink = {});

private:
    struct Handles;
    HttpServer server_;
    std::unique_ptr<Handles> handles_;
};

}  // namespace cudafault::kube
