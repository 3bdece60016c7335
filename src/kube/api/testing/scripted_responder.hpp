// SPDX-License-Identifier: Apache-2.0
// Defines an HTTP server for tests that sends scripted responses, including faults that a healthy API server does not
// produce. The server does not model API objects. It serves plain HTTP or TLS on a free port of 127.0.0.1, or plain
// HTTP on a unix socket.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "kube/api/common/tls_identity.hpp"

namespace cudafault::kube {

struct Answer {
    enum class End {
        kComplete,
        kCut,   // drops the connection before the end of the body
        kHold,  // never ends the body; keeps the connection until the client closes it
        kDrop,  // drops the connection without a response
    };

    int status = 200;
    std::string body;  // sent with a Content-Length
    std::vector<std::pair<std::string, std::string>> headers;
    std::vector<std::string> chunks;  // if not empty, replaces the body; chunked encoding, each chunk sent separately
    std::chrono::milliseconds before_head{0};
    std::chrono::milliseconds before_chunk{0};
    End end = End::kComplete;
};

// Returns a Kubernetes API error: a Status object.
Answer status_answer(int code, const std::string& reason, const std::string& message = "scripted");

struct SeenRequest {
    int connection;  // the number of the connection, counted from 1
    std::string method;
    std::string target;  // as received: path and query, or the whole URL if sent to a proxy
    std::multimap<std::string, std::string> headers;  // names in lower case
    std::string body;
    std::string server_name;  // with TLS: the SNI name
    std::string peer;         // with TLS: the common name of the client certificate
    std::chrono::steady_clock::time_point at;

    std::string header(const std::string& name) const;  // "" if the header is missing
};

class ScriptedResponder {
public:
    ScriptedResponder();                                         // http://127.0.0.1:port
    explicit ScriptedResponder(const std::string& socket_path);  // unix://socket_path
    // https://127.0.0.1:port. If `client_authority` (PEM) is given, clients may present a certificate issued by it.
    explicit ScriptedResponder(const TlsIdentity& identity, const std::string& client_authority = "");
    ~ScriptedResponder();
    ScriptedResponder(const ScriptedResponder&) = delete;
    ScriptedResponder& operator=(const ScriptedResponder&) = delete;

    // Sets the responses to requests for `target`, used in order; the last one is repeated. A target with a query
    // matches only that query. A target without a query matches the path with any query that has no script of its own.
    // A target that ends with * matches every target with that start that has no script of its own.
    // Requests without a script get a 404.
    void on(const std::string& method, const std::string& target, std::vector<Answer> answers);

    std::vector<SeenRequest> requests() const;
    bool wait_for_requests(size_t count, std::chrono::milliseconds timeout = std::chrono::seconds(10)) const;
    const std::string& url() const { return url_; }
    int port() const { return port_; }

private:
    struct Script {
        std::vector<Answer> answers;
        size_t next = 0;
    };
    class Stream;

    void listen_on_loopback();
    void start();
    void accept_loop();
    void serve(int descriptor, int connection);
    bool answer(Stream& stream, const Answer& answer);
    bool write_body(Stream& stream, const Answer& answer);
    Answer next_answer(const SeenRequest& request);
    bool sleep(std::chrono::milliseconds duration);  // false if the responder is shutting down

    int listener_ = -1;
    int stop_event_ = -1;
    int port_ = 0;
    std::string url_;
    std::string socket_path_;
    std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> tls_{nullptr, SSL_CTX_free};
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::map<std::string, Script> scripts_;
    std::vector<SeenRequest> requests_;
    std::vector<std::thread> workers_;
    std::thread acceptor_;
};

}  // namespace cudafault::kube
