// SPDX-License-Identifier: Apache-2.0
// Provides the credentials of each request. Files are read for each request; an exec plugin runs again when its
// credential expires.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/connection.hpp"
#include "kube/api/config/exec_plugin.hpp"

namespace cudafault::kube {

struct Identification {
    std::string authorization;  // value of the Authorization header, or empty
    TlsIdentity identity;       // both fields may be empty

    bool operator==(const Identification&) const = default;
};

class Credentials {
public:
    explicit Credentials(const Connection& connection) : user_(connection.user), cluster_(connection.cluster) {}

    // Throws ConfigError. Throws DeadlinePassed or Cancelled while waiting for a plugin.
    Identification current(Deadline deadline, const Cancellation& cancellation);

    // Discards the plugin's credential, so that `current` runs the plugin again. Call it after a 401.
    void discard_exec_credential() { exec_credential_.reset(); }

    // Returns all secrets used so far, which must not appear in messages.
    const std::vector<std::string>& secrets() const { return secrets_; }

private:
    void run_plugin_if_due(Deadline deadline, const Cancellation& cancellation);
    std::string bearer_token();
    std::string authorization();
    TlsIdentity identity() const;
    void add_secret(const std::string& secret);

    User user_;
    Cluster cluster_;
    std::optional<ExecCredential> exec_credential_;
    std::string last_token_;  // the last content read from the token file
    std::vector<std::string> secrets_;
};

// Returns the HTTP headers for an impersonation. Empty for an empty `impersonation`.
std::vector<std::string> impersonation_headers(const Impersonation& impersonation);

}  // namespace cudafault::kube
