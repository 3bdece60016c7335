// SPDX-License-Identifier: Apache-2.0
// Errors that the API server answers, formatted as one sentence: what failed, where, what to do.
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

    int code;     // of HTTP
    Json status;  // the server's Status, or null if it sent none

    std::optional<std::chrono::seconds> retry_after;  // the time the server asks to wait

    std::string reason() const;  // "NotFound", "Conflict", ..., or empty

    // The object was changed since it was read: 409 Conflict, or 422 with empty details, which a failed `test` and a
    // missing path of a JSON Patch give. Read the object again and recompute the change: see retry_on_conflict.
    bool is_conflict() const;

    bool is_gone() const { return code == 410; }  // a resourceVersion or a continue token is too old
    bool is_not_found() const { return code == 404; }
    // The authorizer denied the request, so a Role can allow it. Admission and quotas answer with 403, too.
    bool is_permission_denied() const;

    bool is_already_there() const { return code == 409 && reason() == "AlreadyExists"; }

    // An eviction that a PodDisruptionBudget does not allow now.
    bool is_disruption_budget() const;

    // The server did nothing, and says when to come again.
    bool is_overload() const;
};

// For an answer that is no success. `connection` says where and as whom.
ApiError api_error(const HttpResponse& response, const Subject& subject, const Connection& connection);

// The same for an ERROR event of a watch, whose object is a Status.
ApiError api_error(const Json& status, const Subject& subject, const Connection& connection);

}  // namespace cudafault::kube
