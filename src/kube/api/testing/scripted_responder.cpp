// SPDX-License-Identifier: Apache-2.0
#include "kube/api/testing/scripted_responder.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <stdexcept>

#include "kube/api/common/encoding.hpp"
#include "kube/api/common/json.hpp"

namespace cudafault::kube {

namespace {

void require(bool done, const char* what) {
    if (!done) throw std::runtime_error(fmt::format("scripted responder: {} failed", what));
}

std::unique_ptr<BIO, int (*)(BIO*)> memory(const std::string& text) {
    return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free};
}

std::unique_ptr<X509, void (*)(X509*)> read_certificate(const std::string& pem) {
    std::unique_ptr<X509, void (*)(X509*)> certificate(PEM_read_bio_X509(memory(pem).get(), nullptr, nullptr, nullptr),
                                                       X509_free);
    require(certificate != nullptr, "reading a certificate");
    return certificate;
}

void use_identity(SSL_CTX* tls, const TlsIdentity& identity) {
    const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
        PEM_read_bio_PrivateKey(memory(identity.key).get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
    require(SSL_CTX_use_certificate(tls, read_certificate(identity.certificate).get()) == 1, "using the certificate");
    require(SSL_CTX_use_PrivateKey(tls, key.get()) == 1, "using the key");
}

// Requests and verifies the client certificate, which is optional, as in an API server.
void trust_client_authority(SSL_CTX* tls, const std::string& authority) {
    const auto certificate = read_certificate(authority);
    require(X509_STORE_add_cert(SSL_CTX_get_cert_store(tls), certificate.get()) == 1, "adding the client authority");
    SSL_CTX_add_client_CA(tls, certificate.get());
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, nullptr);
}

std::string peer_name(SSL* tls) {
    const std::unique_ptr<X509, void (*)(X509*)> certificate(SSL_get1_peer_certificate(tls), X509_free);
    if (!certificate) return "";
    char name[256] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name, sizeof name);
    return name;
}

SeenRequest parse_head(const std::string& head) {
    SeenRequest request;
    const size_t first = head.find(' ');
    const size_t second = head.find(' ', first + 1);
    request.method = head.substr(0, first);
    request.target = head.substr(first + 1, second - first - 1);
    for (size_t start = head.find("\r\n") + 2; start < head.size();) {
        const size_t end = std::min(head.find("\r\n", start), head.size());
        const size_t colon = head.find(": ", start);
        if (colon < end) {
            request.headers.emplace(lower_case(head.substr(start, colon - start)),
                                    head.substr(colon + 2, end - colon - 2));
        }
        start = end + 2;
    }
    request.at = std::chrono::steady_clock::now();
    return request;
}

std::string without_query(const std::string& target) { return target.substr(0, target.find('?')); }

}  // namespace

// One connection, plain or TLS.
class ScriptedResponder::Stream {
public:
    Stream(int descriptor, int stop_event, SSL_CTX* tls) : descriptor_(descriptor), stop_event_(stop_event) {
        if (tls) {
            ssl_.reset(SSL_new(tls));
            SSL_set_fd(ssl_.get(), descriptor);
        }
    }
    ~Stream() { close(descriptor_); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    bool handshake() { return !ssl_ || (wait_for_bytes() && SSL_accept(ssl_.get()) == 1); }

    // Waits until the client sends data or disconnects. Returns false if the responder is shutting down.
    bool wait_for_bytes() const {
        pollfd waits[] = {{descriptor_, POLLIN, 0}, {stop_event_, POLLIN, 0}};
        poll(waits, 2, -1);
        return waits[1].revents == 0;
    }

    bool read_available(std::string& into) {
        char buffer[4096];
        const bool buffered = ssl_ && SSL_pending(ssl_.get()) > 0;
        if (!buffered && !wait_for_bytes()) return false;
        const ssize_t size =
            ssl_ ? SSL_read(ssl_.get(), buffer, sizeof buffer) : recv(descriptor_, buffer, sizeof buffer, 0);
        if (size > 0) into.append(buffer, static_cast<size_t>(size));
        return size > 0;
    }

    bool write_all(const std::string& text) {
        if (text.empty()) return true;
        if (ssl_) return SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())) > 0;
        for (size_t done = 0; done < text.size();) {
            const ssize_t size = send(descriptor_, text.data() + done, text.size() - done, MSG_NOSIGNAL);
            if (size <= 0) return false;
            done += static_cast<size_t>(size);
        }
        return true;
    }

    // Returns nullopt at the end of the connection.
    std::optional<SeenRequest> read_request() {
        constexpr std::string_view kEnd = "\r\n\r\n";
        size_t end;
        while ((end = pending_.find(kEnd)) == std::string::npos) {
            if (!read_available(pending_)) return std::nullopt;
            if (!ssl_ && pending_.starts_with('\x16')) {  // the start of a TLS handshake
                write_all("HTTP/1.1 400 Bad Request\r\n\r\n");
                return std::nullopt;
            }
        }
        SeenRequest request = parse_head(pending_.substr(0, end + 2));
        pending_.erase(0, end + kEnd.size());
        const std::string length = request.header("content-length");
        const size_t size = length.empty() ? 0 : std::stoul(length);
        while (pending_.size() < size) {
            if (!read_available(pending_)) return std::nullopt;
        }
        request.body = pending_.substr(0, size);
        pending_.erase(0, size);
        if (ssl_) {
            const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
            request.server_name = name ? name : "";
            request.peer = peer_name(ssl_.get());
        }
        return request;
    }

private:
    int descriptor_;
    int stop_event_;
    std::unique_ptr<SSL, void (*)(SSL*)> ssl_{nullptr, SSL_free};
    std::string pending_;
};

Answer status_answer(int code, const std::string& reason, const std::string& message) {
    Answer answer;
    answer.status = code;
    answer.body = Json{{"kind", "Status"},   {"apiVersion", "v1"}, {"status", "Failure"},      {"reason", reason},
                       {"message", message}, {"code", code},       {"details", Json::object()}}
                      .dump();
    return answer;
}

std::string SeenRequest::header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
}

ScriptedResponder::ScriptedResponder() {
    listen_on_loopback();
    url_ = fmt::format("http://127.0.0.1:{}", port_);
    start();
}

ScriptedResponder::ScriptedResponder(const std::string& socket_path) : socket_path_(socket_path) {
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    require(socket_path.size() < sizeof address.sun_path, "binding the socket to a path of this length");
    std::strcpy(address.sun_path, socket_path.c_str());
    require(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "bind");
    url_ = "unix://" + socket_path;
    start();
}

ScriptedResponder::ScriptedResponder(const TlsIdentity& identity, const std::string& client_authority) {
    tls_.reset(SSL_CTX_new(TLS_server_method()));
    use_identity(tls_.get(), identity);
    if (!client_authority.empty()) trust_client_authority(tls_.get(), client_authority);
    listen_on_loopback();
    url_ = fmt::format("https://127.0.0.1:{}", port_);
    start();
}

void ScriptedResponder::listen_on_loopback() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    require(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "bind");
    socklen_t size = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
}

void ScriptedResponder::start() {
    signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
    require(listen(listener_, 64) == 0, "listen");
    stop_event_ = eventfd(0, EFD_CLOEXEC);
    acceptor_ = std::thread([this] { accept_loop(); });
}

ScriptedResponder::~ScriptedResponder() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(stop_event_, &one, sizeof one);
    acceptor_.join();
    for (std::thread& worker : workers_) worker.join();
    close(listener_);
    close(stop_event_);
    if (!socket_path_.empty()) unlink(socket_path_.c_str());
}

void ScriptedResponder::accept_loop() {
    for (int connection = 1;; ++connection) {
        pollfd waits[] = {{listener_, POLLIN, 0}, {stop_event_, POLLIN, 0}};
        poll(waits, 2, -1);
        if (waits[1].revents != 0) return;
        const int descriptor = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (descriptor < 0) continue;
        if (port_ != 0) {
            const int on = 1;
            setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        }
        workers_.emplace_back([this, descriptor, connection] { serve(descriptor, connection); });
    }
}

void ScriptedResponder::serve(int descriptor, int connection) {
    Stream stream(descriptor, stop_event_, tls_.get());
    if (!stream.handshake()) return;
    while (auto request = stream.read_request()) {
        request->connection = connection;
        const Answer chosen = next_answer(*request);
        if (!answer(stream, chosen)) return;
    }
}

Answer ScriptedResponder::next_answer(const SeenRequest& request) {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
    changed_.notify_all();
    auto found = scripts_.find(request.method + " " + request.target);
    if (found == scripts_.end()) found = scripts_.find(request.method + " " + without_query(request.target));
    if (found == scripts_.end()) {
        found = std::find_if(scripts_.begin(), scripts_.end(), [&](const auto& script) {
            const std::string_view target = script.first;
            return target.ends_with('*') &&
                   (request.method + " " + request.target).starts_with(target.substr(0, target.size() - 1));
        });
    }
    if (found == scripts_.end()) return status_answer(404, "NotFound", "not scripted");
    Script& script = found->second;
    const Answer& chosen = script.answers[std::min(script.next, script.answers.size() - 1)];
    ++script.next;
    return chosen;
}

bool ScriptedResponder::answer(Stream& stream, const Answer& answer) {
    if (!sleep(answer.before_head) || answer.end == Answer::End::kDrop) return false;
    std::string head = fmt::format("HTTP/1.1 {} Scripted\r\n", answer.status);
    for (const auto& [name, value] : answer.headers) head += fmt::format("{}: {}\r\n", name, value);
    if (!answer.chunks.empty()) {
        head += "Transfer-Encoding: chunked\r\n";
    } else {
        // The missing byte makes a cut or held body shorter than its Content-Length.
        const size_t missing = answer.end == Answer::End::kComplete ? 0 : 1;
        head += fmt::format("Content-Length: {}\r\n", answer.body.size() + missing);
    }
    return stream.write_all(head + "\r\n") && write_body(stream, answer);
}

bool ScriptedResponder::write_body(Stream& stream, const Answer& answer) {
    if (!stream.write_all(answer.body)) return false;
    for (const std::string& chunk : answer.chunks) {
        if (!sleep(answer.before_chunk)) return false;
        if (!stream.write_all(fmt::format("{:x}\r\n{}\r\n", chunk.size(), chunk))) return false;
    }
    if (answer.end == Answer::End::kHold) stream.wait_for_bytes();
    if (answer.end != Answer::End::kComplete) return false;
    return answer.chunks.empty() || stream.write_all("0\r\n\r\n");
}

bool ScriptedResponder::sleep(std::chrono::milliseconds duration) {
    pollfd stop{stop_event_, POLLIN, 0};
    return poll(&stop, 1, static_cast<int>(duration.count())) == 0;
}

void ScriptedResponder::on(const std::string& method, const std::string& target, std::vector<Answer> answers) {
    require(!answers.empty(), "adding a script without answers");
    const std::lock_guard lock(mutex_);
    scripts_[method + " " + target] = {std::move(answers), 0};
}

std::vector<SeenRequest> ScriptedResponder::requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
}

bool ScriptedResponder::wait_for_requests(size_t count, std::chrono::milliseconds timeout) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, [&] { return requests_.size() >= count; });
}

}  // namespace cudafault::kube
