// SPDX-License-Identifier: Apache-2.0
#include "kube/api/transport/api_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "kube/api/common/connection.hpp"
#include "kube/api/common/json.hpp"
#include "kube/api/common/numbers.hpp"
#include "kube/api/transport/http.hpp"
#include "kube/api/transport/libcurl.hpp"
#include "os/one_line.hpp"

namespace cudafault::kube {

namespace {

constexpr const char* kRetry = "read the object again and retry";
constexpr size_t kMaxShown = 120;  // characters of a response that is not a Status

const Json& causes(const Json& status) { return value_at(value_at(status, "details"), "causes"); }

bool has_cause(const Json& status, const std::string& reason) {
    const Json& list = causes(status);
    return std::any_of(list.begin(), list.end(), [&](const Json& cause) { return text_at(cause, "reason") == reason; });
}

Json status_of(const std::string& body) {
    Json status = Json::parse(body, nullptr, false);
    return text_at(status, "kind") == "Status" ? status : Json();
}

std::string server_message(const Json& status, const std::string& body) {
    const std::string message = text_at(status, "message");
    if (!message.empty()) return one_line(message);
    if (body.empty()) return "no reason given";
    return fmt::format("not a Status: \"{}{}\"", one_line(body.substr(0, kMaxShown)),
                       body.size() > kMaxShown ? "..." : "");
}

std::string credentials_text(const Connection& connection) {
    return connection.user_name.empty() ? "the credentials"
                                        : fmt::format("the credentials of user {}", connection.user_name);
}

std::string role_for(const Subject& subject) {
    const std::string where =
        subject.in_namespace.empty() ? "a ClusterRole" : fmt::format("a Role in namespace {}", subject.in_namespace);
    return fmt::format("ask for {} with verb {} on {}", where, subject.verb, subject.resource);
}

// Admission controllers and quotas also return 403 Forbidden. Only the message of the authorizer contains "cannot".
bool is_authorizer_error(const Json& status) {
    return text_at(status, "reason") == "Forbidden" &&
           text_at(status, "message").find("\" cannot ") != std::string::npos;
}

// The user may not impersonate another one. No Role for the request itself changes that.
bool is_impersonation_error(const Json& status) {
    return text_at(status, "message").find("\" cannot impersonate ") != std::string::npos;
}

std::string advice(int code, const Json& status, const Subject& subject, const Connection& connection) {
    switch (code) {
        case 401: return fmt::format("the API server rejected {}: log in again", credentials_text(connection));
        case 403:
            if (is_impersonation_error(status)) return "ask for permission to impersonate, or leave out --as";
            return is_authorizer_error(status) ? role_for(subject)
                                               : "find the admission policy or quota that rejects it";
        case 404: return "check the name, namespace and context";
        case 409: return text_at(status, "reason") == "AlreadyExists" ? "choose another name" : kRetry;
        case 410: return "repeat the list";
        case 422: return causes(status).empty() ? kRetry : "correct the request";
        case 429:
            return has_cause(status, "DisruptionBudget") ? "wait until the budget allows the eviction"
                                                         : "try again later";
        default:
            return code >= 500 ? "try again, and check the API server's log if the error persists"
                               : "see the server's message";
    }
}

// Parses Retry-After in seconds or as a date. Returns nullopt if the header is missing or invalid.
std::optional<std::chrono::seconds> retry_after(const HttpResponse& response) {
    const auto value = response.header("retry-after");
    if (!value) return std::nullopt;
    if (const auto seconds = parse_integer<int64_t>(*value)) {
        return std::chrono::seconds(std::clamp<int64_t>(*seconds, 0, 86'400));
    }
    const time_t date = libcurl().getdate(value->c_str(), nullptr);
    if (date < 0) return std::nullopt;
    return std::chrono::seconds(std::max<int64_t>(0, date - std::time(nullptr)));
}

ApiError make_error(int code, const Json& status, const std::string& body, const Subject& subject,
                    const Connection& connection) {
    const std::string context =
        connection.context.empty() ? without_password(connection.cluster.server) : "context " + connection.context;
    return ApiError(fmt::format("cannot {} {} ({}): HTTP {}, {}; {}", subject.verb, subject.text(), context, code,
                                server_message(status, body), advice(code, status, subject, connection)),
                    code, status);
}

}  // namespace

std::string ApiError::reason() const { return text_at(status, "reason"); }

bool ApiError::is_conflict() const {
    if (code == 409) return !is_already_exists();
    return code == 422 && reason() == "Invalid" && value_at(status, "details").empty();
}

bool ApiError::is_disruption_budget() const { return code == 429 && has_cause(status, "DisruptionBudget"); }

bool ApiError::is_permission_denied() const {
    return code == 403 && is_authorizer_error(status) && !is_impersonation_error(status);
}

bool ApiError::is_overload() const {
    // A disruption budget error does not mean overload. The caller of the eviction decides how long to wait.
    return retry_after && (code == 429 || code == 503) && !is_disruption_budget();
}

ApiError api_error(const HttpResponse& response, const Subject& subject, const Connection& connection) {
    ApiError error = make_error(response.status, status_of(response.body), response.body, subject, connection);
    error.retry_after = retry_after(response);
    return error;
}

ApiError api_error(const Json& status, const Subject& subject, const Connection& connection) {
    const Json& code = value_at(status, "code");
    return make_error(code.is_number_integer() ? code.get<int>() : 500, status, "", subject, connection);
}

}  // namespace cudafault::kube
