// SPDX-License-Identifier: Apache-2.0
#include "kube/api/transport/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <random>

#include "kube/api/common/error.hpp"
#include "kube/api/config/files.hpp"

namespace cudafault::kube {

namespace {

constexpr std::chrono::milliseconds kLongestPause = std::chrono::seconds(5);

HttpServer server_of(const Connection& connection, const Getenv& getenv) {
    HttpServer server;
    server.url = parse_server(connection.cluster);
    server.tls_server_name = connection.cluster.tls_server_name;
    server.proxy = proxy_for(server.url, connection.cluster.proxy_url, getenv);
    server.verifies = !connection.cluster.insecure_skip_tls_verify;
    server.compresses = !connection.cluster.disable_compression;
    return server;
}

bool is_secure(const Connection& connection) { return parse_server(connection.cluster).is_secure(); }

void hide(std::string& text, const std::string& secret) {
    constexpr std::string_view kHidden = "[hidden]";
    for (size_t at = 0; (at = text.find(secret, at)) != std::string::npos; at += kHidden.size()) {
        text.replace(at, secret.size(), kHidden);
    }
}

std::string hidden(std::string text, const std::vector<std::string>& secrets) {
    for (const std::string& secret : secrets) hide(text, secret);
    return text;
}

// Hides secrets in all strings of a Status, because an ApiError contains the Status.
Json with_hidden_secrets(Json value, const std::vector<std::string>& secrets) {
    if (value.is_string()) return hidden(value.get<std::string>(), secrets);
    if (value.is_structured()) {
        for (Json& item : value) item = with_hidden_secrets(item, secrets);
    }
    return value;
}

// Parses the warn-text of a header of the form: 299 - "text"
std::optional<std::string> warning_text(const std::string& header) {
    const size_t start = header.find('"');
    const size_t end = header.rfind('"');
    if (!header.starts_with("299 ") || start >= end) return std::nullopt;
    std::string text;
    for (size_t i = start + 1; i < end; ++i) {
        if (header[i] == '\\' && i + 1 < end) ++i;
        text += header[i];
    }
    return text;
}

}  // namespace

Session::Session(Connection connection, SessionOptions options)
    : connection_(std::move(connection)),
      options_(std::move(options)),
      credentials_(connection_),
      http_(server_of(connection_, options_.getenv)) {}

Session::Session(const Session& other, SessionOptions options)
    : connection_(other.connection_),
      options_(std::move(options)),
      credentials_(other.credentials_),
      http_(server_of(connection_, options_.getenv)) {}

template <typename Action>
auto Session::without_secrets(const Action& action) {
    const auto& secrets = credentials_.secrets();
    try {
        return action();
    } catch (const ApiError& error) {
        ApiError shown(hidden(error.what(), secrets), error.code, with_hidden_secrets(error.status, secrets));
        shown.retry_after = error.retry_after;
        throw shown;
    } catch (const ConnectionError& error) {
        throw ConnectionError(hidden(error.what(), secrets), error.request_may_have_arrived);
    }
}

HttpRequest Session::request_for(const Call& call, const Identification& identification) const {
    HttpRequest request;
    request.method = call.method;
    request.target = call.path + query_string(call.query);
    request.headers = impersonation_headers(connection_.user.impersonation);
    request.headers.push_back("Accept: " + call.accept);
    request.headers.push_back("User-Agent: " + options_.user_agent);
    if (!identification.authorization.empty()) {
        request.headers.push_back("Authorization: " + identification.authorization);
    }
    if (!call.body.is_null()) {
        request.headers.push_back("Content-Type: " + call.content_type);
        request.body = call.body.dump();
    }
    request.identity = identification.identity;
    const Cluster& cluster = connection_.cluster;
    request.authorities =
        data_or_file(cluster.certificate_authority_data, cluster.certificate_authority, "certificate-authority");
    return request;
}

Identification Session::identify() {
    // Credentials are not sent over plain HTTP, as in kubectl. Impersonation headers are, because the request would
    // have more permissions without them.
    if (!is_secure(connection_)) return {};
    return credentials_.current(std::min(options_.deadline, after(options_.plugin_timeout)), *options_.cancellation);
}

HttpResponse Session::try_once(const Call& call, std::chrono::milliseconds idle_timeout, const HttpSink& sink) {
    if (options_.rate_limit) wait_until(options_.rate_limit->reserve());
    const HttpLimits limits{options_.deadline, idle_timeout};
    const Identification used = identify();
    HttpResponse response = http_.send(request_for(call, used), limits, *options_.cancellation, sink);
    if (response.status == 401) {
        credentials_.discard_exec_credential();
        const Identification fresh = identify();
        if (fresh != used) {
            response = http_.send(request_for(call, fresh), limits, *options_.cancellation, sink);
        }
    }
    report_warnings(response);
    return response;
}

void Session::report_warnings(const HttpResponse& response) const {
    if (!options_.on_warning) return;
    for (const auto& [name, value] : response.headers) {
        if (name != "warning") continue;
        if (const auto text = warning_text(value)) options_.on_warning(hidden(*text, credentials_.secrets()));
    }
}

// Secrets are removed before the response is shortened: a secret that is cut in the middle would not be recognized.
ApiError Session::error_from(HttpResponse response, const Subject& subject) const {
    response.body = hidden(std::move(response.body), credentials_.secrets());
    return api_error(response, subject, connection_);
}

void Session::wait_until(Deadline end) {
    if (end >= options_.deadline) {
        throw DeadlinePassed(fmt::format("the API server at {} was not ready before the timeout",
                                         without_password(connection_.cluster.server)));
    }
    options_.cancellation->sleep_until(end);
}

void Session::pause(int failures) {
    static thread_local std::minstd_rand random(std::random_device{}());
    const int64_t longest =
        std::min<int64_t>(options_.first_pause.count() << std::min(failures - 1, 10), kLongestPause.count());
    wait_until(after(std::chrono::milliseconds(std::uniform_int_distribution<int64_t>(longest / 2, longest)(random))));
}

bool Session::wait_before_retry(const Call& call, const std::exception_ptr& failure, int failures) {
    const bool is_read = call.method == "GET";
    std::string why;
    if (failures >= options_.tries) return false;
    try {
        std::rethrow_exception(failure);
    } catch (const ApiError& error) {
        if (error.is_overload()) {
            wait_until(after(*error.retry_after));
            return true;
        }
        if (!is_read || error.code < 500) return false;
    } catch (const ConnectionError& error) {
        if (!is_read && error.request_may_have_arrived) return false;
        why = hidden(error.what(), credentials_.secrets());
    } catch (...) {
        return false;
    }
    try {
        pause(failures);
    } catch (const DeadlinePassed& passed) {
        if (why.empty()) throw;
        throw DeadlinePassed(fmt::format("{} ({})", passed.what(), why));
    }
    return true;
}

HttpResponse Session::send(const Call& call) {
    return without_secrets([&] {
        for (int failures = 1;; ++failures) {
            try {
                HttpResponse response = try_once(call, options_.idle_timeout, {});
                if (!response.is_success()) throw error_from(std::move(response), call.subject);
                return response;
            } catch (const Error&) {
                if (!wait_before_retry(call, std::current_exception(), failures)) throw;
            }
        }
    });
}

Json Session::send_and_parse(const Call& call) {
    const HttpResponse response = send(call);
    Json document = Json::parse(response.body, nullptr, false);
    if (document.is_discarded()) {
        throw ConnectionError(
            fmt::format("cannot {} {}: the response is not JSON; check that the server is a Kubernetes API server",
                        call.subject.verb, call.subject.text()),
            true);
    }
    return document;
}

void Session::stream(const Call& call, std::chrono::milliseconds idle_timeout, const HttpSink& sink) {
    without_secrets([&] {
        HttpResponse response = try_once(call, idle_timeout, sink);
        if (!response.is_success()) throw error_from(std::move(response), call.subject);
    });
}

}  // namespace cudafault::kube
