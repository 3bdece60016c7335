// SPDX-License-Identifier: Apache-2.0
// One HTTP/1.1 request to one server, and its answer. Connections are kept and used again. No second tries, no meaning
// of status codes: those are Session's.
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
    std::string tls_server_name;  // empty: the url's host
    std::string proxy;            // empty: none
    bool verifies = true;         // the server's certificate and its name
    bool compresses = true;
    std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);
};

struct HttpRequest {
    std::string method;
    std::string target;                // path and query, encoded
    std::vector<std::string> headers;  // "Name: value"
    std::string body;
    TlsIdentity identity;
    std::string authorities;  // PEM; empty: the system's
};

struct HttpResponse {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
    std::string body;

    bool is_success() const { return status >= 200 && status < 300; }
    std::optional<std::string> header(std::string_view name) const;  // the first; `name` in lower case
};

struct HttpLimits {
    Deadline deadline = kNoDeadline;
    std::chrono::milliseconds silence = std::chrono::seconds(30);  // the longest time without a byte
};

// Takes a successful answer's body as it comes, instead of HttpResponse::body. False ends the request there.
using HttpSink = std::function<bool(std::string_view chunk)>;

// For one thread at a time.
class Http {
public:
    explicit Http(HttpServer server);
    ~Http();
    Http(const Http&) = delete;
    Http& operator=(const Http&) = delete;

    // Throws ConnectionError if no whole answer came, ConfigError for certificates and keys that are none,
    // DeadlinePassed, Cancelled.
    HttpResponse send(const HttpRequest& request, const HttpLimits& limits, const Cancellation& cancellation,
                      const HttpSink& sink = {});

private:
    struct Handles;
    HttpServer server_;
    std::unique_ptr<Handles> handles_;
};

}  // namespace cudafault::kube
