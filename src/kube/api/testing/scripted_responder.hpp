// SPDX-License-Identifier: Apache-2.0
// An HTTP server for tests: what was asked for a path is answered as scripted, with faults that a healthy API server
// does not have. It knows nothing of objects. Plain or TLS on a port of 127.0.0.1 that the system chooses, or on a unix
// socket.
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
        kProper,
        kCut,   // the connection is dropped where the body's end would be
        kHold,  // the body never ends; the connection stays until the client goes
        kDrop,  // the connection is dropped without an answer
    };

    int status = 200;
    std::string body;  // with a Content-Length
    std::vector<std::pair<std::string, std::string>> headers;
    std::vector<std::string> chunks;  // if there are any, the body is these, in chunked coding, each sent by itself
    std::chrono::milliseconds before_head{0};
    std::chrono::milliseconds before_chunk{0};
    End end = End::kProper;
};

// The server's part of a Kubernetes API error.
Answer status_answer(int code, const std::string& reason, const std::string& message = "scripted");

struct SeenRequest {
    int connection;  // counted from 1
    std::string method;
    std::string target;                               // as it came: path and query, or the whole address at a proxy
    std::multimap<std::string, std::string> headers;  // names in lower case
    std::string body;
    std::string server_name;  // of TLS: the name asked for
    std::string peer;         // of TLS: the common name of the client's certificate
    std::chrono::steady_clock::time_point at;

    std::string header(const std::string& name) const;  // "" if it is not there
};

class ScriptedResponder {
public:
    ScriptedResponder();                                         // http://127.0.0.1:port
    explicit ScriptedResponder(const std::string& socket_path);  // unix://socket_path
    // https://127.0.0.1:port. Clients may show a certificate of `client_authority` (PEM), if one is given.
    explicit ScriptedResponder(const TlsIdentity& identity, const std::string& client_authority = "");
    ~ScriptedResponder();
    ScriptedResponder(const ScriptedResponder&) = delete;
    ScriptedResponder& operator=(const ScriptedResponder&) = delete;

    // The answers to requests for `target`, in their order; the last one stays. A target with a query is that one only,
    // without one it is the path with any query that is not scripted by itself. What is not scripted gets a 404.
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
    Answer take_answer(const SeenRequest& request);
    bool sleep(std::chrono::milliseconds duration);  // false if the responder ends

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
