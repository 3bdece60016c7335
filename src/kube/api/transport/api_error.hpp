// SPDX-License-Identifier: Apache-2.0
// Formats error responses of the API server as one sentence: what failed, where, and what to do.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "kube/api/common/error.hpp"
#include "kube/api/common/json.hpp"
#include "kube/api/common/subject.hpp"

namespace cudafault::kube {

struct Connection;
struct HttpResponse;

class ApiError : public Error {
public:
    ApiError(const std::string& message, int http_status, Json status_object)
        : Error(message), code(http_status), status(std::move(status_object)) {}

    int code;     // the HTTP status code
    Json status;  // the server's Status object, or null if it sent none

    std::optional<std::chrono::seconds> retry_after;  // the Retry-After header

    std::string reason() const;  // "NotFound", "Conflict", ..., or empty

    // True if the object was changed since it was read: 409 Conflict, or 422 with empty details, which the server sends
    // when a JSON Patch has a failed `test` or a missing path. Read the object again and recompute the change: see
    // retry_on_conflict.
    bool is_conflict() const;

    bool is_expired() const { return code == 410; }  // a resourceVersion or a continue token is too old
    bool is_not_found() const { return code == 404; }
    bool is_forbidden() const { return code == 403; }  // by the authorizer, an admission controller or a quota
    bool is_permission_denied() const;                 // by the authorizer: a Role can allow the request

    bool is_already_exists() const { return code == 409 && reason() == "AlreadyExists"; }

    // True for an eviction that a PodDisruptionBudget does not currently allow.
    bool is_disruption_budget() const;

    // True if the server rejected the request because of load and sent a Retry-After.
    bool is_overload() const;
};

// Converts an error response. `connection` names the server and the user.
ApiError api_error(const HttpResponse& response, const Subject& subject, const Connection& connection);

// Converts an ERROR event of a watch, whose object is a Status.
ApiError api_error(const Json& status, const Subject& subject, const Connection& connection);

}  // namespace cudafault::kube
