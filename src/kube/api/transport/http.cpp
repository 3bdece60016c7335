// SPDX-License-Identifier: Apache-2.0
#include "kube/api/transport/http.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>
#include <new>

#include "kube/api/common/encoding.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/transport/libcurl.hpp"

namespace cudafault::kube {

namespace {

struct FreeList {
    void operator()(curl_slist* list) const { libcurl().slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, FreeList>;

void append(List& list, const std::string& text) {
    curl_slist* extended = libcurl().slist_append(list.get(), text.c_str());
    if (!extended) throw std::bad_alloc();
    list.release();  // NOLINT(bugprone-unused-return-value): `extended` is the same list
    list.reset(extended);
}

curl_blob blob_of(const std::string& text) { return {const_cast<char*>(text.data()), text.size(), CURL_BLOB_NOCOPY}; }

// The state that libcurl's callbacks update during one request.
struct Transfer {
    const HttpSink& sink;
    HttpResponse response;
    Deadline last_byte = Clock::now();
    bool stopped = false;
    std::exception_ptr thrown;  // an exception thrown by the sink
    std::string_view to_send;
    std::array<char, CURL_ERROR_SIZE> error{};

    explicit Transfer(const HttpSink& response_sink) : sink(response_sink) {}
};

void parse_status_line(HttpResponse& response, const std::string& line) {
    response.headers.clear();  // discard headers of an interim response or of the proxy
    const size_t space = line.find(' ');
    response.status = space == std::string::npos ? 0 : static_cast<int>(std::strtol(line.c_str() + space, nullptr, 10));
}

void parse_header(HttpResponse& response, const std::string& line) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) return;
    const size_t start = line.find_first_not_of(" \t", colon + 1);
    const size_t end = line.find_last_not_of(" \t\r\n");
    response.headers.emplace_back(lower_case(line.substr(0, colon)),
                                  start > end || start == std::string::npos ? "" : line.substr(start, end + 1 - start));
}

size_t on_send(char* buffer, size_t, size_t capacity, Transfer* transfer) {
    const size_t size = transfer->to_send.copy(buffer, capacity);
    transfer->to_send.remove_prefix(size);
    return size;
}

size_t on_header(const char* data, size_t, size_t size, Transfer* transfer) {
    transfer->last_byte = Clock::now();
    const std::string line(data, size);
    if (line.starts_with("HTTP/")) {
        parse_status_line(transfer->response, line);
    } else {
        parse_header(transfer->response, line);
    }
    return size;
}

size_t on_body(const char* data, size_t, size_t size, Transfer* transfer) {
    transfer->last_byte = Clock::now();
    if (!transfer->sink || !transfer->response.is_success()) {
        transfer->response.body.append(data, size);
        return size;
    }
    // Exceptions must not propagate through libcurl.
    try {
        transfer->stopped = !transfer->sink(std::string_view(data, size));
    } catch (...) {
        transfer->thrown = std::current_exception();
        transfer->stopped = true;
    }
    return transfer->stopped ? 0 : size;
}

const char* advice(CURLcode code) {
    switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST: return "check the server's name in the kubeconfig, and your network";
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_PROXY: return "check proxy-url in the kubeconfig, or HTTPS_PROXY";
        case CURLE_COULDNT_CONNECT: return "check that the cluster is running and that the context is correct";
        case CURLE_PEER_FAILED_VERIFICATION:
            return "check certificate-authority-data and tls-server-name in the kubeconfig";
        case CURLE_SSL_CONNECT_ERROR:
            return "check the server's address and certificate-authority-data, and that the server uses TLS";
        default: return "try again";
    }
}

bool is_bad_certificate(CURLcode code) { return code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_CACERT_BADFILE; }

[[noreturn]] void fail(const ServerUrl& url, CURLcode code, const std::string& detail, bool may_have_arrived) {
    const std::string where = url.scheme == "unix" ? url.host : url.host_and_port();
    if (is_bad_certificate(code)) {
        throw ConfigError(fmt::format(
            "a certificate or key for {} cannot be used ({}); check the kubeconfig's PEM data", where, detail));
    }
    throw ConnectionError(fmt::format("no response from the API server at {}: {}; {}", where, detail, advice(code)),
                          may_have_arrived);
}

}  // namespace

std::optional<std::string> HttpResponse::header(std::string_view name) const {
    const auto found =
        std::find_if(headers.begin(), headers.end(), [&](const auto& item) { return item.first == name; });
    return found == headers.end() ? std::nullopt : std::optional(found->second);
}

struct Http::Handles {
    CURLM* multi;
    CURL* easy;
    curl_blob certificate{}, key{}, authorities{};

    Handles() {
        static const CURLcode ready = libcurl().global_init(CURL_GLOBAL_DEFAULT);
        multi = ready == CURLE_OK ? libcurl().multi_init() : nullptr;
        easy = multi ? libcurl().easy_init() : nullptr;
        if (!easy) throw std::bad_alloc();
    }
    ~Handles() {
        libcurl().easy_cleanup(easy);
        libcurl().multi_cleanup(multi);
    }
    Handles(const Handles&) = delete;
    Handles& operator=(const Handles&) = delete;

    template <typename Value>
    void set(CURLoption option, Value value) {
        const CURLcode code = libcurl().easy_setopt(easy, option, value);
        if (code != CURLE_OK) {
            throw Error(fmt::format("libcurl does not support option {} ({}); it is too old or built without TLS",
                                    static_cast<int>(option), libcurl().easy_strerror(code)));
        }
    }

    void set_address(const HttpServer& server, const HttpRequest& request, List& connect_to, List& headers);
    void set_tls(const HttpServer& server, const HttpRequest& request);
    void set_message(const HttpServer& server, const HttpRequest& request, List& headers);
    void set_callbacks(Transfer& transfer);
    bool has_sent() const;
    CURLcode transfer(const ServerUrl& url, const Transfer& transfer, const HttpLimits& limits,
                      const Cancellation& cancellation);
    void wait(const ServerUrl& url, const Transfer& transfer, const HttpLimits& limits,
              const Cancellation& cancellation);
};

void Http::Handles::set_address(const HttpServer& server, const HttpRequest& request, List& connect_to, List& headers) {
    const ServerUrl& url = server.url;
    if (url.scheme == "unix") {
        set(CURLOPT_UNIX_SOCKET_PATH, url.host.c_str());
        set(CURLOPT_URL, ("http://localhost" + request.target).c_str());
    } else {
        ServerUrl verified = url;
        // The name in the URL is used for SNI and verification, so the connection is redirected to the real host.
        if (url.is_secure() && !server.tls_server_name.empty()) {
            verified.host = server.tls_server_name;
            append(connect_to, "::" + url.host_and_port());
            append(headers, "Host: " + url.host_and_port());
            set(CURLOPT_CONNECT_TO, connect_to.get());
        }
        set(CURLOPT_URL,
            fmt::format("{}://{}{}{}", url.scheme, verified.host_and_port(), url.prefix, request.target).c_str());
    }
    set(CURLOPT_PATH_AS_IS, 1L);
    set(CURLOPT_PROXY, server.proxy.c_str());  // an empty string disables libcurl's own proxy detection
    set(CURLOPT_NOPROXY, "");
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(server.connect_timeout.count()));
}

void Http::Handles::set_tls(const HttpServer& server, const HttpRequest& request) {
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    set(CURLOPT_SSL_VERIFYPEER, server.verifies ? 1L : 0L);
    set(CURLOPT_SSL_VERIFYHOST, server.verifies ? 2L : 0L);
    if (!request.authorities.empty()) {
        authorities = blob_of(request.authorities);
        set(CURLOPT_CAINFO_BLOB, &authorities);
        set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));  // otherwise the system's authorities are trusted too
    }
    if (request.identity.certificate.empty()) return;
    certificate = blob_of(request.identity.certificate);
    key = blob_of(request.identity.key);
    set(CURLOPT_SSLCERT_BLOB, &certificate);
    set(CURLOPT_SSLKEY_BLOB, &key);
}

void Http::Handles::set_message(const HttpServer& server, const HttpRequest& request, List& headers) {
    for (const std::string& header : request.headers) append(headers, header);
    append(headers, "Expect:");  // otherwise libcurl waits one second before it sends a long body
    set(CURLOPT_HTTPHEADER, headers.get());
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    if (server.compresses) set(CURLOPT_ACCEPT_ENCODING, "gzip");
    if (!request.body.empty()) {
        set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
        set(CURLOPT_POST, 1L);
    }
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    set(CURLOPT_TCP_KEEPALIVE, 1L);
}

void Http::Handles::set_callbacks(Transfer& transfer) {
    // libcurl cannot rewind this callback. It therefore does not send a body again when a reused connection breaks: the
    // server may have processed the first request.
    set(CURLOPT_READFUNCTION, on_send);
    set(CURLOPT_READDATA, &transfer);
    set(CURLOPT_ERRORBUFFER, transfer.error.data());
    set(CURLOPT_HEADERFUNCTION, on_header);
    set(CURLOPT_HEADERDATA, &transfer);
    set(CURLOPT_WRITEFUNCTION, on_body);
    set(CURLOPT_WRITEDATA, &transfer);
}

bool Http::Handles::has_sent() const {
    curl_off_t microseconds = 0;
    libcurl().easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &microseconds);
    return microseconds > 0;
}

void Http::Handles::wait(const ServerUrl& url, const Transfer& transfer, const HttpLimits& limits,
                         const Cancellation& cancellation) {
    const auto idle = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - transfer.last_byte);
    if (idle >= limits.idle_timeout) {
        fail(url, CURLE_OPERATION_TIMEDOUT,
             fmt::format("received no data for {} s", std::chrono::duration<double>(idle).count()), has_sent());
    }
    const auto remaining = time_left(limits.deadline, limits.idle_timeout - idle);
    if (remaining.count() == 0) throw DeadlinePassed(fmt::format("{} did not respond before the timeout", url.host));
    curl_waitfd interrupt{cancellation.descriptor(), CURL_WAIT_POLLIN, 0};
    libcurl().multi_poll(multi, &interrupt, 1, static_cast<int>(std::min<int64_t>(remaining.count(), 60'000)), nullptr);
    cancellation.check();
}

CURLcode Http::Handles::transfer(const ServerUrl& url, const Transfer& state, const HttpLimits& limits,
                                 const Cancellation& cancellation) {
    cancellation.check();
    for (int running = 1;;) {
        const CURLMcode code = libcurl().multi_perform(multi, &running);
        if (code != CURLM_OK) throw Error(fmt::format("libcurl failed: {}", libcurl().multi_strerror(code)));
        int queued = 0;
        if (const CURLMsg* message = libcurl().multi_info_read(multi, &queued)) return message->data.result;
        wait(url, state, limits, cancellation);
    }
}

Http::Http(HttpServer server) : server_(std::move(server)), handles_(std::make_unique<Handles>()) {}

Http::~Http() = default;

HttpResponse Http::send(const HttpRequest& request, const HttpLimits& limits, const Cancellation& cancellation,
                        const HttpSink& sink) {
    // An easy handle must be removed from the multi handle before its options and lists are freed.
    struct Membership {
        explicit Membership(const Handles& member_handles) : handles(member_handles) {
            libcurl().multi_add_handle(handles.multi, handles.easy);
        }
        ~Membership() { libcurl().multi_remove_handle(handles.multi, handles.easy); }
        Membership(const Membership&) = delete;
        Membership& operator=(const Membership&) = delete;
        const Handles& handles;
    };
    Transfer transfer(sink);
    transfer.to_send = request.body;
    List headers;
    List connect_to;
    libcurl().easy_reset(handles_->easy);
    handles_->set_address(server_, request, connect_to, headers);
    handles_->set_tls(server_, request);
    handles_->set_message(server_, request, headers);
    handles_->set_callbacks(transfer);
    const Membership membership(*handles_);
    const CURLcode code = handles_->transfer(server_.url, transfer, limits, cancellation);
    if (transfer.thrown) std::rethrow_exception(transfer.thrown);
    if (code != CURLE_OK && !transfer.stopped) {
        const char* detail = code == CURLE_SEND_FAIL_REWIND ? "the connection broke before the response"
                             : transfer.error[0]            ? transfer.error.data()
                                                            : libcurl().easy_strerror(code);
        fail(server_.url, code, detail, handles_->has_sent());
    }
    return std::move(transfer.response);
}

}  // namespace cudafault::kube
